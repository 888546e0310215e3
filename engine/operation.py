"""One run from beginning to end: services, processes, steps, deletes."""

import contextlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from engine import files, urns
from engine.config import Config
from engine.events import Kind
from engine.plugins import DYNAMIC, Plugins
from engine.processes import Processes
from engine.program import Program
from engine.project import Project
from engine.reporter import Reporter
from engine.signals import Interrupt
from engine.store import Store

_SPARE_THREADS: Final = 16
_MESSAGE_BYTES: Final = 400 * 1024 * 1024
_SERVER_OPTIONS: Final = [
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),
]


@dataclass
class Operation:
    """A preview, up, refresh or destroy.

    Attributes:
        left: How many resources the state holds afterwards.
        changes: How many resources each op touched.
    """

    project: Project
    stack: str
    store: Store
    config: Config
    kind: Kind
    refresh: bool
    parallel: int
    reporter: Reporter
    environment: Mapping[str, str]
    lock_fd: int
    left: int = 0
    changes: dict[str, int] = field(default_factory=dict)

    def run(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Do it all; what goes wrong is told to the reporter.

        Returns:
            The stack's outputs before and after, without secrets.
        """
        with contextlib.ExitStack() as stack:
            with files.guarded(self.store.directory):
                self.store.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
            server = grpc.server(
                ThreadPoolExecutor(self.parallel * 4 + _SPARE_THREADS), options=_SERVER_OPTIONS
            )
            address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
            processes = Processes(
                logs=self.store.logs, lock_fd=self.lock_fd, environment=self.environment
            )
            stack.callback(processes.close)
            # The slow starts run side by side: the program, the dynamic provider, our own imports.
            program = None
            if self.kind in {"preview", "up"}:
                program = Program(self.project, self.stack, self.config, processes, self.reporter)
            plugins = Plugins(self.project, self.stack, processes, address)
            stack.callback(plugins.close)
            if f"{urns.PROVIDER_PREFIX}{DYNAMIC}" in self.store.recorded_types():
                plugins.prepare(DYNAMIC)
            from engine.session import Session  # noqa: PLC0415 - imports the whole SDK

            session = Session(self, self.store.load(), plugins, server, address)
            stack.callback(session.close)
            with Interrupt(session.interrupt, lambda: session.kill(processes)):
                outcome = session.run(program)
            self.left = session.left
            self.changes = session.changes
            return outcome
