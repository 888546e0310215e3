"""A stack for Kubernetes, rehearsed on this machine: the same program against a Kubernetes here.

Its pods really run. By default the Kubernetes is one of ours, of two nodes; it can be one that the
person has on this machine (kind, k3d, minikube). Nothing here reaches another one: the child's
kubeconfig has one context, which bears the name that the stack file says.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import sandbox.kubernetes
from components.settings import KubernetesSettings, Settings
from operations import kubeconfig, sweep_pods
from operations.kube import Api
from operations.rehearse import Asked, Rehearsal
from operations.stacks import COMMAND, WRONG_SETTINGS, CommandError
from sandbox.kubernetes.errors import KubernetesError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from rich.console import Console

    from engine import Stack
    from operations.stacks import Opened
    from sandbox.kubernetes.cluster import Running

PLUGINS = Path(sandbox.kubernetes.__file__).parent / "plugins"
# Below the project: programs and images of our Kubernetes, which outlive a rehearsal.
CACHE = Path(".cache") / "kubernetes"
OURS = "dask-rehearsal"
# Pods end, and what they were made from goes, some time after the call that deletes it.
TIDY_SECONDS = 60.0
LOOK_SECONDS = 1.0
# What would name another Kubernetes, or another engine of Docker, to a program.
_ELSEWHERE = ("KUBERNETES_", "PULUMI_K8S_", "DOCKER_")


class KubernetesRehearsal(Rehearsal):
    """The rehearsal of a stack for Kubernetes.

    Attributes:
        kubeconfig: Its kubeconfig, for this process's children and for the person.
    """

    platform = "kubernetes"
    cloud = "a Kubernetes"
    mark = "labels"
    farewell = "Nothing of it is left in its Kubernetes."
    settings_model: ClassVar[type[Settings]] = KubernetesSettings
    # The context: `OURS`, or one of the person's kubeconfig.
    kept_file = "kubernetes/context"

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        self.kubeconfig = self._kept.with_name("kubeconfig")
        self._begun = False

    @property
    def runs(self) -> bool:
        """Whether its Kubernetes runs; of one that is not ours we do not know otherwise."""
        if (known := self.known) != OURS:
            return known is not None
        with _ours() as cluster:
            return cluster.find() is not None

    @property
    def known(self) -> str | None:
        """The context of its Kubernetes, also while that does not run; None if it never began."""
        return self._kept.read_text().strip() if self._kept.exists() else None

    def choose(self, asked: Asked) -> str:
        """Return the context of its Kubernetes; raises as the base does."""
        if asked.hosts:
            raise CommandError(
                f"`--hosts` is for stacks for AWS. The pods of `{self.name}` are real anyway:\n"
                f"  {COMMAND} rehearse {self.name} up",
                WRONG_SETTINGS,
            )
        known = self.known
        if asked.context is not None and known not in (None, asked.context):
            where = "our Kubernetes" if known == OURS else f"context `{known}`"
            begin = f"{COMMAND} rehearse {self.name}"
            raise CommandError(
                f"the rehearsal of `{self.name}` has begun on {where}, and stays there. End it, "
                f"and begin anew:\n  {begin} destroy\n  {begin} up --context {asked.context}",
                WRONG_SETTINGS,
            )
        return known or asked.context or OURS

    def prepare(self, wanted: str) -> str | None:
        """Return what to say before a start that takes long; None if it does not."""
        if wanted != OURS or self.runs:
            return None
        return "Starting a Kubernetes: the first one on a machine takes minutes."

    def enter(self) -> Stack:
        """Return the stack as it is there; raises as the base does."""
        self.require_way_in()
        return super().enter()

    def left(self) -> list[str]:
        """Return what its Kubernetes holds of the cluster, once it had the time to tidy up."""
        if not self.runs:
            return []
        limit = time.monotonic() + TIDY_SECONDS
        while True:
            found, refused = sweep_pods.find(self.name, self._api())
            lines = [f"{each.kind} {each.id}" for each in found]
            lines += [f"{each.left.kind}: {each.why}" for each in refused]
            if not lines or time.monotonic() > limit:
                return lines
            time.sleep(LOOK_SECONDS)

    def end(self, say: Callable[[str], None]) -> None:
        """Give up its Kubernetes, which the last rehearsal ends, and remove its folder."""
        if self.known == OURS:
            with _ours() as cluster:
                cluster.release(self.folder, say)
        shutil.rmtree(self.kubeconfig.parent, ignore_errors=True)
        self._remove_folder()

    def require_way_in(self) -> None:
        """Refuse one whose Kubernetes has ended; raises as the base does."""
        if not self.runs:
            raise CommandError(
                f"the Kubernetes of the rehearsal of `{self.name}` does not run any more, and its "
                f"pods ended with it. To make them again: `{COMMAND} rehearse {self.name} up`."
            )

    def show_what_it_is(self, console: Console) -> None:
        """Print what stands in for the cluster's Kubernetes, below the table."""
        found, _ = sweep_pods.find(self.name, self._api())
        namespace = self.stack().outputs()["namespace"]
        console.print(
            f"\n  A rehearsal: {len(found)} things of it exist in a Kubernetes on this machine, "
            "and\n  its pods are real. A command beside them, a look at them:"
        )
        for command in (
            f"{COMMAND} run {self.name} --rehearsal -- COMMAND",
            f"KUBECONFIG={self.kubeconfig} kubectl --namespace {namespace} get pods",
        ):
            console.print(f"    {command}", markup=False, soft_wrap=True)

    def _start(self, wanted: str, *, end: bool, say: Callable[[str], None]) -> dict[str, str]:
        if self._begun:  # this process has its variables already
            return dict(os.environ)
        if end and not self.runs:
            self._forget(say)
            return dict(os.environ)
        docker_host = self._take(wanted, end=end, say=say)
        self._begun = True
        return surroundings(os.environ, self.kubeconfig, docker_host=docker_host)

    def _take(self, wanted: str, *, end: bool, say: Callable[[str], None]) -> str | None:
        """Start our Kubernetes, or look for the person's own; write its kubeconfig.

        Returns:
            Where images are built; None: by the person's own Docker.

        Raises:
            CommandError: It does not start, there is none, or it is not on this machine.
        """
        names = kubeconfig.names_in(self.kubeconfig)
        repositories = []
        if not end:
            settings = self._settings()
            # One name more, where the stack file was edited: the state may know the other one.
            names = [*(name for name in names if name != settings.context), settings.context]
            repositories = [settings.image_repository] if settings.image_repository else []
        if wanted != OURS:
            kubeconfig.write(self.kubeconfig, _on_this_machine(wanted), names or [wanted])
            return None
        running = self._start_ours(repositories, say)
        config = kubeconfig.one_context(OURS, running.kubeconfig)
        kubeconfig.write(self.kubeconfig, config, names or [OURS])
        return running.docker_host

    def _start_ours(self, repositories: list[str], say: Callable[[str], None]) -> Running:
        cache = self.opened.project.directory / CACHE
        with _ours() as cluster:
            running: Running = cluster.start(self.folder, cache, say=say, repositories=repositories)
        return running

    def _forget(self, say: Callable[[str], None]) -> None:
        """Forget what the state names: it has ended with its Kubernetes."""
        stack = self.stack()
        if not stack.exists:
            return
        state = stack.export()
        state["deployment"] |= {"resources": [], "pending_operations": []}
        stack.import_(state)
        say("its Kubernetes does not run any more, and what the state names has ended with it")

    def _settings(self) -> KubernetesSettings:
        settings = self.settings()
        assert isinstance(settings, KubernetesSettings)  # noqa: S101  # as `settings` has checked
        return settings

    def _api(self) -> Api:
        """Return its API server, once it has begun."""
        return Api(kubeconfig.names_in(self.kubeconfig)[-1])


@contextlib.contextmanager
def _ours() -> Iterator[ModuleType]:
    """Give what starts, finds and ends our Kubernetes.

    Raises:
        CommandError: It does not start or end; or whether it runs is not for us to see.
    """
    # Some tenths of a second, for nobody else.
    from sandbox.kubernetes import cluster  # noqa: PLC0415

    if os.geteuid() != 0:
        raise CommandError("the Kubernetes of rehearsals is root's: run this with sudo.")
    try:
        yield cluster
    except KubernetesError as error:
        raise CommandError(str(error)) from error


def _on_this_machine(context: str) -> dict[str, Any]:
    """Return a context of the person's own kubeconfig.

    Raises:
        CommandError: There is none, or it leads to another machine.
    """
    # The package of Kubernetes, for nobody else.
    from sandbox.kubernetes.provider import settings  # noqa: PLC0415
    from sandbox.provider_protocol import ProviderError  # noqa: PLC0415

    try:
        settings.target({"context": context, "kubeconfig": os.environ.get("KUBECONFIG", "")})
    except ProviderError as error:
        raise CommandError(str(error), WRONG_SETTINGS) from error
    return kubeconfig.one_context(context)


def surroundings(
    environment: Mapping[str, str], file: Path, *, docker_host: str | None = None
) -> dict[str, str]:
    """Return an environment in which Kubernetes is on this machine and nowhere else.

    Args:
        environment: The person's own.
        file: The rehearsal's kubeconfig.
        docker_host: Where images are built and pushed; None: by the person's own Docker.
    """
    ours = _ELSEWHERE if docker_host else _ELSEWHERE[:-1]
    kept = {key: value for key, value in environment.items() if not key.startswith(ours)}
    path = os.pathsep.join(filter(None, (str(PLUGINS), kept.get("PATH"))))
    host = urlsplit(kubeconfig.server_of(kubeconfig.read(file))).hostname
    # Without a proxy for what is on this machine.
    direct = ",".join(filter(None, (kept.get("no_proxy"), "127.0.0.1", host)))
    # Without the person's own credentials, which a registry here would be shown.
    config = str(file.with_name("docker"))
    docker = {"DOCKER_HOST": docker_host, "DOCKER_CONFIG": config} if docker_host else {}
    return kept | docker | {"KUBECONFIG": str(file), "PATH": path, "no_proxy": direct}
