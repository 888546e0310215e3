"""The public operations on a stack."""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from engine import config, files, urns
from engine.errors import EngineError
from engine.events import Kind, Listener, Outputs, Summary
from engine.lock import Lock
from engine.project import Project
from engine.reporter import Reporter, Result
from engine.state import ResourceState
from engine.store import Store
from engine.values import redact

DEFAULT_HOME: Final = ".dask-cluster"
PARALLEL: Final = 16


class Stack:
    """One stack of a project, with its state on this machine."""

    def __init__(
        self,
        project: Project,
        name: str,
        *,
        home: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Name a stack; nothing is read or written yet.

        Args:
            project: The project.
            name: The stack's name.
            home: The folder for states; by default `.dask-cluster` beside Pulumi.yaml.
            env: The environment of programs and plugins; by default this process's. DASK_*
                variables and secrets of Pulumi are always left out.
        """
        project.check_stack_name(name)
        self.project = project
        self.name = name
        self.home = (home or project.directory / DEFAULT_HOME).resolve()
        self._env = dict(os.environ if env is None else env)
        self._store = Store(self.home / "state" / name, name)

    @property
    def directory(self) -> Path:
        """The folder with everything the engine keeps for the stack."""
        return self._store.directory

    @property
    def exists(self) -> bool:
        """Whether there is a state."""
        return self._store.exists

    def preview(self, *, listener: Listener | None = None, refresh: bool | None = None) -> Result:
        """Say what `up` would do, without doing it.

        Args:
            listener: Is told everything.
            refresh: Look at the resources first; by default as `options.refresh` of Pulumi.yaml
                says.

        Raises:
            EngineError: The run could not begin.
        """
        return self._run("preview", listener, refresh=refresh)

    def up(
        self,
        *,
        listener: Listener | None = None,
        refresh: bool | None = None,
        parallel: int = PARALLEL,
    ) -> Result:
        """Bring about what the program describes.

        Args:
            listener: Is told everything.
            refresh: Look at the resources first; by default as `options.refresh` of Pulumi.yaml
                says.
            parallel: How many steps may run at once.

        Raises:
            EngineError: The run could not begin.
        """
        return self._run("up", listener, refresh=refresh, parallel=parallel)

    def refresh(self, *, listener: Listener | None = None) -> Result:
        """Record what became of the resources; a stack without a state has none.

        Raises:
            EngineError: The run could not begin.
        """
        return self._run("refresh", listener)

    def destroy(self, *, listener: Listener | None = None) -> Result:
        """Delete every resource, and then the stack's own folder.

        Neither runs the program nor looks at the configuration. A stack without a state has nothing
        to delete, but what an `up` that was killed early may have left of its folder goes.

        Raises:
            EngineError: The run could not begin.
        """
        return self._run("destroy", listener)

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """The stack's outputs, as the last `up` left them; `[secret]` stands for secrets."""
        for state in self.resources():
            if state.type == urns.STACK_TYPE:
                outputs: dict[str, Any] = redact(state.outputs, show_secrets=show_secrets)
                return outputs
        return {}

    def export(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """The state in the form that `pulumi stack import` takes.

        Secrets are encrypted with the passphrase in the stack's folder: import with
        PULUMI_CONFIG_PASSPHRASE_FILE pointing there. A stack without a state has no resources.
        """
        return self._store.export(show_secrets=show_secrets)

    def import_(self, deployment: dict[str, Any]) -> None:
        """Put a state, as `export` or `pulumi stack export` gave it, in the place of this one's.

        Raises:
            EngineError: Pulumi would not take it either, or it uses what this engine does not.
        """
        with Lock(self._store.lock, waiting=_silent):
            self._store.import_(deployment, self._env)

    def resources(self) -> list[ResourceState]:
        """The resources as the state records them, each after what it needs."""
        return self._store.load().resources if self.exists else []

    def _run(
        self,
        kind: Kind,
        listener: Listener | None,
        *,
        refresh: bool | None = None,
        parallel: int = PARALLEL,
    ) -> Result:
        started = time.monotonic()
        reporter = Reporter(listener)
        settings = config.Config({})
        if kind in {"preview", "up"}:
            settings = config.resolve(
                self.name,
                self.project.name,
                list(self.project.declared),
                self.project.stack_file(self.name),
                self._env,
            )
        refresh = self.project.options.refresh if refresh is None else refresh
        try:
            return self._guarded_run(kind, reporter, settings, refresh=refresh, parallel=parallel)
        except BaseException:
            # A listener may have to put a terminal back in order.
            reporter.emit(Summary(kind, reporter.changes, time.monotonic() - started, ok=False))
            raise

    def _guarded_run(
        self,
        kind: Kind,
        reporter: Reporter,
        settings: config.Config,
        *,
        refresh: bool,
        parallel: int,
    ) -> Result:
        started = time.monotonic()
        with self._folder(reporter) as lock:
            from engine.operation import Operation  # noqa: PLC0415 - gRPC and the SDK are slow imports

            operation = Operation(
                project=self.project,
                stack=self.name,
                store=self._store,
                config=settings,
                kind=kind,
                refresh=refresh,
                parallel=parallel,
                reporter=reporter,
                environment=self._env,
                lock_fd=lock.fd,
            )
            before, after = operation.run()
            if kind == "destroy" and not reporter.failed and not operation.left:
                self._remove()
        ok = not reporter.failed
        if kind in {"preview", "up"} and ok:
            reporter.emit(Outputs(before, after))
        duration = time.monotonic() - started
        changes = operation.changes
        reporter.emit(Summary(kind, changes, duration, ok))
        return Result(changes, dict(after), duration, reporter.diagnostics, ok)

    @contextmanager
    def _folder(self, reporter: Reporter) -> Iterator[Lock]:
        """The stack's folder, locked; without a state it goes, unless its logs explain an error."""

        def waiting(message: str) -> None:
            reporter.say("info", message)

        with files.guarded(self.directory), Lock(self._store.lock, waiting=waiting) as lock:
            try:
                yield lock
            except EngineError:
                reporter.failed = True
                raise
            finally:
                if not self._store.exists and not (reporter.failed and self._store.has_logs):
                    self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self._store.directory, ignore_errors=True)
        self._store.forget()
        for folder in (self.home / "state", self.home):
            try:
                folder.rmdir()
            except OSError:
                break


def _silent(_message: str) -> None:
    """Say nothing while waiting."""
