"""Guests: instances of the rehearsal that pretend to boot.

An instance here is a record. A guest makes the calls that a real host makes, through boto3 and the
server's own endpoint, and knows of the program only what a host is told: its tags and its user
data.
"""

from sandbox.aws.guests.guests import Guests

__all__ = ["Guests"]
