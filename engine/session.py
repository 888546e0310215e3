"""The heart of a run, once gRPC and the SDK are imported."""

import time
from typing import TYPE_CHECKING, Final

import grpc
from pulumi.runtime.proto import engine_pb2_grpc, resource_pb2_grpc

from engine import urns
from engine.child import SHOWN_EXIT_CODE
from engine.engine_service import EngineService
from engine.executor import Executor, StepError, protected_message
from engine.monitor import Monitor, Run
from engine.planner import Planner
from engine.plugins import Plugins
from engine.processes import Processes
from engine.program import Program
from engine.refresh import Refresher
from engine.registry import Registry
from engine.snapshot import Snapshot, is_outside
from engine.state import Deployment, ResourceState
from engine.steps import Op, Step
from engine.values import Properties, redact, same

if TYPE_CHECKING:
    from engine.operation import Operation

_POLL_SECONDS: Final = 0.02
_QUIT_SECONDS: Final = 10.0


class Session:
    """Services and parts of one run, wired together."""

    def __init__(
        self,
        operation: "Operation",
        deployment: Deployment,
        plugins: Plugins,
        server: grpc.Server,
        address: str,
    ) -> None:
        """Build everything and begin to listen."""
        self._operation = operation
        self._reporter = operation.reporter
        self._server = server
        self._address = address
        self._preview = operation.kind == "preview"
        self._before = _stack_outputs(deployment.resources)
        self._warn = [op for op in deployment.pending if is_outside(op.resource)]
        save = None if self._preview else operation.store.save
        self._snapshot = Snapshot(deployment, save)
        self._registry = Registry(
            plugins, address, str(operation.project.program), self._preview, self._find
        )
        self._executor = Executor(
            self._snapshot,
            self._registry,
            self._reporter,
            preview=self._preview,
            parallel=operation.parallel,
        )
        self._refresher: Refresher | None = None
        engine_pb2_grpc.add_EngineServicer_to_server(EngineService(self._reporter), server)

    @property
    def left(self) -> int:
        """How many resources the state holds."""
        return len(self._snapshot.resources)

    @property
    def changes(self) -> dict[str, int]:
        """How many resources each op touched."""
        if self._operation.kind == "refresh" and self._refresher is not None:
            return dict(self._refresher.outcomes)
        return self._reporter.changes

    def run(self, program: Program | None) -> tuple[Properties, Properties]:
        """Do what the operation is for; returns the stack's outputs before and after."""
        after: Properties = self._before
        try:
            match self._operation.kind:
                case "refresh":
                    self._server.start()
                    self._refresh()
                case "destroy":
                    self._server.start()
                    self._destroy()
                case _ if program is not None:
                    after = self._deploy(program)
        except StepError:
            # Listeners know, and the reporter remembers that it failed.
            self._reporter.failed = True
        finally:
            self._snapshot.finish()
        return redact(self._before), redact(after)

    def interrupt(self) -> None:
        """Let nothing begin any more, and ask providers to give up."""
        self._reporter.say("error", f"{self._operation.kind} cancelled: finishing what was begun")
        self._executor.stop()
        self._registry.cancel()

    def kill(self, processes: Processes) -> None:
        """End everything at once; what was being done stays in the state as pending."""
        self._snapshot.freeze()
        processes.close()

    def close(self) -> None:
        """End the services."""
        self._registry.close()
        self._server.stop(0)

    def _find(self, urn: str, id_: str) -> ResourceState | None:
        states = self._snapshot.resources
        return next((s for s in states if (s.urn, s.id) == (urn, id_)), None)

    def _refresh(self) -> None:
        self._refresher = Refresher(
            self._snapshot,
            self._registry,
            self._reporter,
            self._executor,
            parallel=self._operation.parallel,
        )
        self._refresher.run()

    def _destroy(self) -> None:
        steps = [Step(_delete_op(state), state) for state in self._snapshot.resources]
        self._refuse_protected(steps)
        for pending in self._snapshot.forget_unknown():
            urn = pending.resource.urn
            self._reporter.say(
                "warning",
                f"{urn} was being created when an earlier run was interrupted: whether it exists "
                "could not be known, so it is not deleted. If it does exist, remove it by hand.",
                urn,
            )
        self._executor.delete_all(steps)

    def _refuse_protected(self, steps: list[Step]) -> None:
        protected = [s.state for s in steps if s.op == "delete" and s.state.protect]
        for state in protected:
            self._reporter.say("error", protected_message(state.urn), state.urn)
        if protected:
            raise StepError("protected resources")

    def _deploy(self, program: Program) -> Properties:
        if not self._operation.refresh:
            self._warn_pending()
        else:
            self._refresh()
        run = self._services()
        program.begin(self._address, preview=self._preview, parallel=self._operation.parallel)
        try:
            self._wait(program, run)
            self._executor.delete_all(run.planner.leftovers())
        except StepError:
            self._reporter.failed = True
        finally:
            run.finished.set()
            self._finish(program)
        return self._finalize_outputs(run)

    def _finalize_outputs(self, run: Run) -> Properties:
        """Record the stack's outputs; after an error those that are missing mean nothing."""
        state, outputs = run.stack_state, run.stack_outputs
        if state is None:
            return self._before
        if self._reporter.failed:
            outputs = self._before | outputs
        if not same(state.outputs, outputs):
            state.outputs = outputs
            self._snapshot.touched()
        return outputs

    def _services(self) -> Run:
        operation = self._operation
        run = Run(
            project=operation.project.name,
            stack=operation.stack,
            directory=operation.project.directory,
            config=operation.config,
            preview=self._preview,
            parallel=operation.parallel,
            snapshot=self._snapshot,
            registry=self._registry,
            planner=Planner(
                operation.stack,
                operation.project.name,
                self._snapshot,
                self._registry,
                self._reporter,
            ),
            executor=self._executor,
            reporter=self._reporter,
        )
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(Monitor(run), self._server)
        self._server.start()
        return run

    def _wait(self, program: Program, run: Run) -> None:
        """Wait until the program has registered everything.

        Raises:
            StepError: It failed, or a step did; then nothing may be deleted.
        """
        code = None
        while code is None and not self._executor.stopped:
            if run.registered.wait(_POLL_SECONDS):
                break
            code = program.exit_code
        if self._executor.stopped:
            raise StepError("the operation was stopped")
        if code:
            # Registrations that came before the end may still wait for their turn.
            self._executor.stop()
            self._complain(code)
            raise StepError("the program failed")

    def _complain(self, code: int) -> None:
        if code != SHOWN_EXIT_CODE:
            self._reporter.say("error", f"Program exited with non-zero exit code: {code}")

    def _finish(self, program: Program) -> None:
        """Let the program end by itself, which it does once its calls are answered."""
        deadline = time.monotonic() + _QUIT_SECONDS
        self._executor.wait_idle()
        code = program.wait(max(deadline - time.monotonic(), 1.0))
        if code is None:
            program.stop()
        elif code and not self._executor.stopped:
            self._complain(code)

    def _warn_pending(self) -> None:
        if not self._warn or self._preview:
            return
        lines = "".join(
            f"  * {op.resource.urn}, interrupted while {op.type}\n" for op in self._warn
        )
        self._reporter.say(
            "warning",
            f"Attempting to deploy or update resources with {len(self._warn)} pending operations "
            f"from previous deployment.\n{lines}These resources are in an unknown state because "
            "the engine was interrupted while waiting for changes to them to complete. Once "
            "you have confirmed their status, a refresh clears the pending operations.",
        )


def _delete_op(state: ResourceState) -> Op:
    if state.delete:
        return "delete-replaced"
    return "remove-pending-replace" if state.pending_replacement else "delete"


def _stack_outputs(resources: list[ResourceState]) -> Properties:
    return next((s.outputs for s in resources if s.type == urns.STACK_TYPE), {})
