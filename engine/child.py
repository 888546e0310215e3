"""What runs first in every process the engine starts; uses nothing but the standard library.

A thread reads a pipe whose other end only the engine holds. When the engine is gone, however it
ended, the pipe ends and so does this process. Three modes: `program` runs a Pulumi program as
pulumi-language-python-exec does, `module` runs a Python module, `guard` stands beside an executable
and ends it.
"""

import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import traceback
from typing import Any, Final

SHOWN_EXIT_CODE: Final = 32
_STOPPED: Final = "Resource monitor has terminated, shutting down"


def watch(fd: int) -> None:
    """End this process and its group once the pipe has ended.

    The whole group: what a provider started and was waiting for ends with it. What is meant to
    stay, such as a daemon, has left the group by a session of its own.
    """

    def wait() -> None:
        while os.read(fd, 1):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def guard(command: list[str]) -> int:
    """Run an executable until it, or the engine, ends.

    It stays in this process's group: whatever ends that group ends both, at any moment.
    """
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    return subprocess.call(command)


def module(name: str, arguments: list[str]) -> None:
    """Run a module as `python -m` does, with the current folder first on the path."""
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - pathlib is not needed for anything else here
    sys.argv = [name, *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def program(entry: str) -> int:
    """Run a Pulumi program; its addresses and names come as one line of JSON on stdin.

    Returns:
        The exit code: 32 if the error was already shown to the user.
    """
    # The other modes start faster without these.
    import asyncio  # noqa: PLC0415
    import logging  # noqa: PLC0415
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    import pulumi  # noqa: PLC0415
    import pulumi.runtime  # noqa: PLC0415

    given: dict[str, Any] = json.loads(sys.stdin.readline())
    runtime = pulumi.runtime
    runtime.set_all_config(runtime.get_config_env(), runtime.get_config_secret_keys_env())
    runtime.configure(runtime.Settings(**given))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=max(int(given["parallel"]), 1) * 4)
    loop.set_default_executor(executor)
    sys.path.insert(0, entry)
    sys.argv = ["."]

    def run() -> None:
        runpy.run_path(entry, run_name="__main__")

    code = 1
    try:
        loop.run_until_complete(runtime.run_in_stack(run))
        code = 0
    except pulumi.RunError as error:
        if str(error) != _STOPPED:
            pulumi.log.error(str(error))
        code = SHOWN_EXIT_CODE
    except Exception as error:  # noqa: BLE001 - whatever the user's program raises is shown
        pulumi.log.error("Program failed with an unhandled exception:\n" + _trace(error, entry))
        code = SHOWN_EXIT_CODE
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def _trace(error: BaseException, entry: str) -> str:
    """The traceback from the user's own code on."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [i for i, frame in enumerate(frames) if frame.filename.startswith(entry + os.sep)]
    skip = own[0] if own else 0
    shown = traceback.TracebackException.from_exception(error)
    shown.stack = traceback.StackSummary.from_list(list(frames)[skip:])
    return "".join(shown.format()).rstrip()


def main() -> None:
    """Start the mode that the command line names: MODE PIPE_FD ALL_FDS ARGUMENT..."""
    mode, pipe, inherited, *arguments = sys.argv[1:]
    for fd in inherited.split(","):
        # What this process starts in its turn must not hold the lock, nor outlive the pipe.
        os.set_inheritable(int(fd), False)  # noqa: FBT003 - the standard library's own signature
    watch(int(pipe))
    if mode == "guard":
        sys.exit(guard(arguments))
    elif mode == "module":
        module(arguments[0], arguments[1:])
    else:
        # Threads of the program must not hold up the end of a run that is over.
        code = program(arguments[0])
        os._exit(code)


if __name__ == "__main__":
    main()
