"""Hosts: instances of the rehearsal that really boot, each in a container on this machine."""
