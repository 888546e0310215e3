"""`python -m sandbox.aws.server --folder DIR`: serves until SIGTERM."""

import argparse
import ipaddress
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Final

from sandbox.aws.server.starter import CANNOT, INSTANCES, REASON
from sandbox.machine.errors import MachineError

# moto reads these when it is imported.
_SETTINGS: Final = {
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    "MOTO_ENABLE_AMI_VALIDATION": "true",
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    "MOTO_ACCOUNT_ID": "123456789012",
}


def main() -> int:
    """Serve an account on loopback.

    Returns:
        The exit code: 0 after SIGTERM, 2 for a wrong argument, `CANNOT` if this machine cannot
        have hosts.
    """
    parser = argparse.ArgumentParser(
        prog="sandbox.aws.server",
        description=__doc__,
        epilog="records do nothing; guests pretend to boot; hosts are containers that boot.",
    )
    parser.add_argument("--folder", type=Path, required=True, help="for server.json")
    parser.add_argument("--host", default="127.0.0.1", help="an address of loopback")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--speed", type=float, default=1.0, help="heartbeats and alarms run faster")
    parser.add_argument(
        "--instances", choices=INSTANCES, default="records", help="what an instance is (below)"
    )
    parser.add_argument("--cache", type=Path, help="of hosts: where images are kept")
    arguments = parser.parse_args()
    if not ipaddress.ip_address(arguments.host).is_loopback:
        parser.error(f"--host {arguments.host}: it serves on loopback only, such as 127.0.0.1")
    if arguments.instances == "hosts" and arguments.cache is None:
        parser.error("--instances hosts: it needs --cache")
    if arguments.speed <= 0:
        parser.error(f"--speed {arguments.speed}: it is a number above 0")
    # No AWS setting of the person's shell has a say in here.
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_"))]:
        del os.environ[name]
    os.environ.update(_SETTINGS)

    from sandbox.aws.server.serving import serve  # noqa: PLC0415  (after the settings)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        serve(
            arguments.folder,
            host=arguments.host,
            port=arguments.port,
            speed=arguments.speed,
            instances=arguments.instances,
            cache=arguments.cache,
        )
    except MachineError as error:
        sys.stderr.write(f"{REASON}{error}\n")
        return CANNOT
    except SystemExit:
        pass  # told before it served
    # To take a whole account apart in memory, thing by thing, can take seconds.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
