"""The providers of one run: started, checked, configured and found again by reference.

Follows pulumi/pkg/resource/deploy/providers/registry.go and default_providers.go.
"""

import contextlib
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from engine import urns
from engine.answers import Failure
from engine.config import Config
from engine.diffs import Diff
from engine.errors import EngineError
from engine.plugins import Plugins
from engine.provider import Provider
from engine.state import ResourceState
from engine.values import UNKNOWN_SENTINEL, Properties, Secret

INTERNAL: Final = "__internal"


@dataclass
class Registry:
    """Providers by reference, and those that are checked but not configured yet, by URN.

    Attributes:
        plugins: Starts the processes.
        engine_address: Where providers reach the engine.
        directory: The folder of the program.
        preview: Whether new providers get an unknown id.
        find: Finds the recorded state of a provider by URN and id.
    """

    plugins: Plugins
    engine_address: str
    directory: str
    preview: bool
    find: Callable[[str, str], ResourceState | None]
    _providers: dict[str, Provider] = field(default_factory=dict)
    _checked: dict[str, Provider] = field(default_factory=dict)
    _mutex: threading.RLock = field(default_factory=threading.RLock)

    def get(self, reference: str) -> Provider:
        """The provider behind a reference; one that only the state knows is started.

        Raises:
            EngineError: Nobody knows it.
        """
        with self._mutex:
            if provider := self._providers.get(reference):
                return provider
            urn, id_ = urns.split_reference(reference)
            state = self.find(urn, id_)
            if state is None:
                raise EngineError(f"unknown provider '{reference}'")
            provider = self._start(state.type)
            provider.configure(urn, id_, public(state.inputs))
            self._providers[reference] = provider
            return provider

    def check(
        self, urn: str, olds: Properties, news: Properties
    ) -> tuple[Properties, list[Failure]]:
        """Start a provider and have it check its configuration."""
        with self._mutex:
            provider = self._checked.get(urn) or self._start(urns.type_of(urn))
            self._checked[urn] = provider
        inputs, failures = provider.check_config(urn, public(olds), public(news))
        kept = {key: news[key] for key in ("version", INTERNAL) if key in news}
        return kept | inputs, failures

    def diff(self, old: ResourceState, news: Properties, ignored: list[str]) -> Diff:
        """Compare a provider's recorded configuration with a new one."""
        reference = urns.reference(old.urn, old.id)
        provider = self._checked.get(old.urn) or self.get(reference)
        return provider.diff_config(
            old.urn, public(old.inputs), old.outputs, public(news), old.id, ignored
        )

    def keep(self, state: ResourceState, inputs: Properties) -> None:
        """Configure the checked provider under the state's id: it is unchanged, or updated."""
        with self._mutex:
            reference = urns.reference(state.urn, state.id)
            provider = self._checked.pop(state.urn, None)
            if provider is None:
                self.get(reference)
                return
            provider.configure(state.urn, state.id, public(inputs))
            self._providers[reference] = provider

    def create(self, state: ResourceState) -> str:
        """Configure the checked provider as a new one, and return its id."""
        id_ = UNKNOWN_SENTINEL if self.preview else str(uuid.uuid4())
        with self._mutex:
            provider = self._checked.pop(state.urn, None) or self._start(state.type)
            provider.configure(state.urn, id_, public(state.inputs))
            self._providers[urns.reference(state.urn, id_)] = provider
        return id_

    def cancel(self) -> None:
        """Ask all providers to give up what they are doing."""
        with self._mutex:
            providers = list(self._providers.values())
        for provider in providers:
            # One that has ended, or cannot do it, must not keep the others from being told.
            with contextlib.suppress(EngineError):
                provider.cancel()

    def close(self) -> None:
        """Hang up on all providers."""
        with self._mutex:
            for provider in {*self._providers.values(), *self._checked.values()}:
                provider.close()

    def _start(self, type_: str) -> Provider:
        provider = Provider(self.plugins.start(type_.removeprefix(urns.PROVIDER_PREFIX)))
        provider.handshake(self.engine_address, self.directory)
        return provider


def default_name(version: str) -> str:
    """The name of a package's default provider: `default` or `default_7_51_1`."""
    return f"default_{re.sub(r'[^A-Za-z0-9]', '_', version)}" if version else "default"


def default_inputs(config: Config, package: str, version: str, url: str) -> Properties:
    """What a default provider is configured with: the stack's configuration of its package."""
    inputs: Properties = {
        key: Secret(value) if secret else value
        for key, (value, secret) in config.of_package(package).items()
    }
    return inputs | plugin_inputs(version, url)


def plugin_inputs(version: str, url: str) -> Properties:
    """Which plugin a provider resource wants, as its inputs record it."""
    wanted: Properties = {}
    if version:
        wanted["version"] = version
    if url:
        wanted["pluginDownloadURL"] = url
    # Pulumi leaves this map behind even when it has nothing to keep in it.
    return wanted | {INTERNAL: {}} if wanted else {}


def public(inputs: Properties) -> Properties:
    """What a plugin gets to see of a provider's inputs."""
    return {key: value for key, value in inputs.items() if key != INTERNAL}
