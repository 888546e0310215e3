"""Which TCP ports of an address can be reached from here: `python scan.py ADDRESS`.

A port counts as reached if anything answers, and so does a host that says that nobody listens: what
a firewall drops has no answer at all. Prints the ports as JSON. It needs nothing but Python, since
it runs in hosts.
"""

import errno
import json
import resource
import selectors
import socket
import sys
import time

# Longer than the kernel waits before it asks a second time.
ANSWER_SECONDS = 1.5
LAST = 65535
AT_ONCE = 8000


def reached(address: str, ports: range) -> list[int]:
    """Ask for some ports at once."""
    found = []
    with selectors.DefaultSelector() as waiting:
        for port in ports:
            one = socket.socket()
            one.setblocking(False)  # noqa: FBT003  (the socket's own)
            code = one.connect_ex((address, port))
            if code == errno.EINPROGRESS:
                waiting.register(one, selectors.EVENT_WRITE, (port, one))
            else:
                if code in {0, errno.ECONNREFUSED}:
                    found.append(port)
                one.close()
        until = time.monotonic() + ANSWER_SECONDS
        while (left := until - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                port, one = key.data
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in {0, errno.ECONNREFUSED}:
                    found.append(port)
                waiting.unregister(one)
                one.close()
        for key in list(waiting.get_map().values()):
            key.data[1].close()
    return found


def main() -> None:
    """Ask for every port."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found = []
    for first in range(1, LAST + 1, AT_ONCE):
        found += reached(sys.argv[1], range(first, min(first + AT_ONCE, LAST + 1)))
    print(json.dumps(sorted(found)))  # noqa: T201


if __name__ == "__main__":
    main()
