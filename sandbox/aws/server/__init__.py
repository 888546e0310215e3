"""The AWS of a rehearsal: moto on loopback, repaired where it differs from AWS.

`start`, `stop` and `contents` are for whoever needs the server; they import neither moto nor
flask. Everything else in this package runs in the server's own process.
"""

from sandbox.aws.server.starter import Item, Server, ServerError, contents, find, start, stop

__all__ = ["Item", "Server", "ServerError", "contents", "find", "start", "stop"]
