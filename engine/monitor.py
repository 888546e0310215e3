"""The ResourceMonitor service: what a program asks of the engine.

Follows `resmon` in pulumi/pkg/resource/deploy/source_eval.go.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NoReturn

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, resource_pb2, resource_pb2_grpc

from engine import urns
from engine.config import Config
from engine.errors import EngineError
from engine.executor import Executor, StepError
from engine.planner import PlanError, Planner
from engine.registration import read_goal, refuse
from engine.registry import Registry, default_inputs, default_name, plugin_inputs
from engine.reporter import Reporter
from engine.snapshot import Snapshot
from engine.state import ResourceState
from engine.steps import Goal
from engine.values import UNKNOWN_SENTINEL, Properties, from_wire, same, to_wire

FEATURES: Final = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
)
_FEATURE_NAMES: Final = frozenset({"secrets", "resourceReferences", "aliasSpecs"})
_INVOKE_FIELDS: Final = frozenset(
    {
        "tok",
        "args",
        "provider",
        "version",
        "acceptResources",
        "pluginDownloadURL",
        "accepts_byte_string",
        "sourcePosition",
        "stackTrace",
        "parent",
        "accept_output_values",
    }
)


@dataclass
class Run:
    """What the services of one run share.

    Attributes:
        project: Name of the project.
        stack: Name of the stack.
        directory: The folder of Pulumi.yaml.
        config: The stack's configuration.
        preview: Whether nothing is really done.
        parallel: How many steps run at once.
        snapshot: The state.
        registry: The providers.
        planner: Makes steps.
        executor: Carries them out.
        reporter: Is told everything.
    """

    project: str
    stack: str
    directory: Path
    config: Config
    preview: bool
    parallel: int
    snapshot: Snapshot
    registry: Registry
    planner: Planner
    executor: Executor
    reporter: Reporter
    registered: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    stack_state: ResourceState | None = None
    stack_outputs: Properties = field(default_factory=dict)


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Answers a program."""

    def __init__(self, run: Run) -> None:
        """Take the run to answer for."""
        self._run = run
        self._planning = threading.Lock()
        self._goals: dict[str, Goal] = {}
        self._states: dict[str, ResourceState] = {}
        self._providers: dict[str, dict[str, str]] = {}
        self._defaults: dict[tuple[str, str, str], str] = {}

    def GetDeploymentInfo(self, _request: Any, _context: Any) -> resource_pb2.DeploymentInfo:  # noqa: ANN401, N802
        """What is run, and what the engine can do."""
        return resource_pb2.DeploymentInfo(
            project=self._run.project,
            stack=self._run.stack,
            organization="organization",
            dryRun=self._run.preview,
            parallel=self._run.parallel,
            supportedFeatures=FEATURES,
        )

    def SupportsFeature(self, request: Any, _context: Any) -> resource_pb2.SupportsFeatureResponse:  # noqa: ANN401, N802
        """Whether the engine can do one thing."""
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in _FEATURE_NAMES)

    def RegisterResource(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802
        """Bring a resource about, and answer when that is done."""
        return self._guarded(context, lambda: self._register(request))

    def RegisterResourceOutputs(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802
        """Take the outputs of a component or of the stack."""
        return self._guarded(context, lambda: self._outputs(request))

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802
        """Call a function of a provider."""
        return self._guarded(context, lambda: self._invoke(request))

    def SignalAndWaitForShutdown(self, _request: Any, _context: Any) -> empty_pb2.Empty:  # noqa: ANN401, N802
        """Take note that the program is done, and hold it until the run is."""
        self._run.registered.set()
        self._run.finished.wait()
        return empty_pb2.Empty()

    def ReadResource(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802
        """Refuse."""
        self._refuse(
            context, f"reading the existing resource '{request.name}' ({request.type}.get)"
        )

    def ExistsResource(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802
        """Refuse."""
        self._refuse(context, f"asking whether the resource '{request.id}' exists")

    def Call(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802
        """Refuse."""
        self._refuse(context, f"the method call '{request.tok}'")

    def RegisterPackage(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802
        """Refuse."""
        self._refuse(context, f"the parameterized package '{request.name}'")

    def RegisterStackTransform(self, _request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802
        """Refuse."""
        self._refuse(context, "a transform")

    def RegisterStackInvokeTransform(self, _request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802
        """Refuse."""
        self._refuse(context, "an invoke transform")

    def RegisterResourceHook(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802
        """Refuse."""
        self._refuse(context, f"the resource hook '{request.name}'")

    def RegisterErrorHook(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401, N802
        """Refuse."""
        self._refuse(context, f"the error hook '{request.name}'")

    def _refuse(self, context: grpc.ServicerContext, what: str) -> NoReturn:
        self._fail(EngineError(f"{what} is not supported by this engine; use Pulumi itself"))
        _abort(context)

    def _guarded(self, context: grpc.ServicerContext, work: Callable[[], Any]) -> Any:  # noqa: ANN401
        if self._run.executor.stopped:
            _abort(context)
        try:
            return work()
        except StepError:
            _abort(context)
        except EngineError as error:
            self._fail(error)
            _abort(context)

    def _fail(self, error: EngineError) -> None:
        self._run.executor.stop()
        self._run.reporter.say("error", str(error), getattr(error, "urn", ""))

    def _register(self, request: Any) -> resource_pb2.RegisterResourceResponse:  # noqa: ANN401
        goal = read_goal(request, self._run.directory)
        with self._planning:
            goal = self._inherit(goal)
            if goal.custom and not urns.is_provider(goal.type):
                goal = replace(goal, provider=self._provider(goal, request))
            elif urns.is_provider(goal.type):
                goal.inputs.update(plugin_inputs(request.version, request.pluginDownloadURL))
            steps = self._run.planner.plan(goal)
        self._run.executor.run(steps)
        state = next(step.new for step in reversed(steps) if step.new is not None)
        with self._planning:
            self._goals[state.urn] = goal
            self._states[state.urn] = state
            if not goal.custom:
                inherited = self._providers.get(goal.parent, {})
                self._providers[state.urn] = inherited | dict(request.providers)
        id_ = "" if state.id == UNKNOWN_SENTINEL and not urns.is_provider(state.type) else state.id
        return resource_pb2.RegisterResourceResponse(
            urn=state.urn, id=id_, object=to_wire(state.outputs)
        )

    def _inherit(self, goal: Goal) -> Goal:
        """What a child takes from its parent unless it says otherwise (`inheritFromParent`)."""
        parent = self._goals.get(goal.parent)
        if parent is None:
            return goal
        protect = parent.protect if goal.protect is None else goal.protect
        retain = parent.retain_on_delete if goal.retain_on_delete is None else goal.retain_on_delete
        return replace(goal, protect=protect, retain_on_delete=retain)

    def _provider(self, goal: Goal, request: Any) -> str:  # noqa: ANN401
        package = urns.package_of(goal.type)
        given = goal.provider or request.providers.get(package)
        given = given or self._providers.get(goal.parent, {}).get(package)
        return given or self._default(
            package, goal.type, request.version, request.pluginDownloadURL
        )

    def _default(self, package: str, token: str, version: str, url: str) -> str:
        key = (package, version, url)
        if key not in self._defaults:
            denied = self._run.config.values.get("pulumi:disable-default-providers", "[]")
            if f'"{package}"' in denied or '"*"' in denied:
                raise EngineError(
                    f"Default provider for '{package}' disabled. '{token}' must use an explicit "
                    "provider."
                )
            inputs = default_inputs(self._run.config, package, version, url)
            type_ = f"{urns.PROVIDER_PREFIX}{package}"
            goal = Goal(type=type_, name=default_name(version), custom=True, inputs=inputs)
            steps = self._run.planner.plan(goal)
            self._run.executor.run(steps)
            state = next(step.new for step in reversed(steps) if step.new is not None)
            self._defaults[key] = urns.reference(state.urn, state.id)
        return self._defaults[key]

    def _outputs(self, request: Any) -> empty_pb2.Empty:  # noqa: ANN401
        outputs = from_wire(request.outputs)
        state = self._states.get(request.urn)
        if state is None:
            raise PlanError(
                request.urn, f"cannot set the outputs of {request.urn}: it is not registered"
            )
        if state.type == urns.STACK_TYPE:
            # What becomes of them depends on how the run ends.
            self._run.stack_state, self._run.stack_outputs = state, outputs
            return empty_pb2.Empty()
        changed = not same(state.outputs, outputs)
        state.outputs = outputs
        if changed:
            self._run.snapshot.touched()
        return empty_pb2.Empty()

    def _invoke(self, request: Any) -> resource_pb2.ResourceInvokeResponse:  # noqa: ANN401
        refuse(request, _INVOKE_FIELDS, {}, f"the call of {request.tok}")
        package = urns.package_of(request.tok)
        with self._planning:
            reference = request.provider or self._providers.get(request.parent, {}).get(package)
            reference = reference or self._default(
                package, request.tok, request.version, request.pluginDownloadURL
            )
            provider = self._run.registry.get(reference)
        result, failures = provider.invoke(
            request.tok, from_wire(request.args), preview=self._run.preview
        )
        if result is None:
            return resource_pb2.ResourceInvokeResponse(unknown=True)
        response = resource_pb2.ResourceInvokeResponse(
            failures=[
                provider_pb2.CheckFailure(property=f.property, reason=f.reason) for f in failures
            ]
        )
        getattr(response, "return").CopyFrom(to_wire(result, resources=request.acceptResources))
        return response


def _abort(context: grpc.ServicerContext) -> NoReturn:
    # The one code that an SDK takes for the end of the run, and not for a fault of its own.
    context.abort(grpc.StatusCode.UNAVAILABLE, "resource monitor shut down")
    raise AssertionError
