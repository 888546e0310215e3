"""The provider's own configuration: which API server, and that it is on this machine."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psutil
import yaml
from kubernetes.config import ConfigException
from kubernetes.config.kube_config import (
    KUBE_CONFIG_DEFAULT_LOCATION,
    ConfigNode,
    KubeConfigLoader,
    KubeConfigMerger,
)

from engine.values import Properties, Unknown, has_unknown, same, unwrap
from sandbox.provider_protocol import ProviderError

_SWITCHES: Final = ("enableConfigMapMutable", "enableSecretMutable")
_IDENTIFIER: Final = "clusterIdentifier"
_USED: Final = frozenset(
    {
        *(_IDENTIFIER, "context", "enableServerSideApply", "kubeconfig", "namespace"),
        *("version", *_SWITCHES),
    }
)
_DEFAULT_NAMESPACE: Final = "default"


@dataclass(frozen=True)
class Target:
    """Where a configuration leads.

    Attributes:
        loader: Reads the credentials; an external command in the kubeconfig is run by it.
        server: The API server's URL.
        namespace: Namespace of objects that name none.
        mutable: Of ConfigMap and Secret, the kinds whose data may change in place.
    """

    loader: KubeConfigLoader
    server: str
    namespace: str
    mutable: frozenset[str]


def faults(inputs: Properties) -> Iterator[tuple[str, str]]:
    """What is wrong with a configuration, as property and sentence."""
    for key in inputs:
        if key not in _USED and not key.startswith("__"):
            yield key, f"{key} is not an input of the kubernetes provider that this plugin knows"
    if has_unknown(inputs):
        return
    plain = unwrap(inputs)
    if not _switch(plain.get("enableServerSideApply", True)):
        reason = "this plugin only knows server-side apply: leave enableServerSideApply out"
        yield "enableServerSideApply", reason
    try:
        target(plain)
    except ProviderError as error:
        yield "context" if plain.get("context") else "kubeconfig", str(error)


def target(inputs: Properties) -> Target:
    """Where a configuration leads; nothing is called.

    Raises:
        ProviderError: It cannot be read, names no context that there is, or leads elsewhere.
    """
    where, config = _kubeconfig(str(inputs.get("kubeconfig") or ""))
    wanted = str(inputs.get("context") or "")
    if not wanted and not config["current-context"]:
        raise ProviderError(f"{where} has no current context: name one with kubernetes:context")
    try:
        loader = KubeConfigLoader(config, active_context=wanted or None)  # type: ignore[no-untyped-call]
        context = loader.current_context["context"]
        server = str(config["clusters"].get_with_name(context["cluster"])["cluster"]["server"])
    except (ConfigException, KeyError, TypeError) as error:
        raise ProviderError(f"{where}: {error}") from error
    _refuse_elsewhere(where, server)
    namespace = inputs.get("namespace") or context.get("namespace") or _DEFAULT_NAMESPACE
    mutable = frozenset(
        key.removeprefix("enable").removesuffix("Mutable")
        for key in _SWITCHES
        if _switch(inputs.get(key, False))
    )
    return Target(loader, server, str(namespace), mutable)


def diff(olds: Properties, news: Properties) -> Iterator[tuple[str, bool]]:
    """Changed settings, and whether they replace everything.

    Another API server does. Where both name the cluster by an identifier, another one of that does
    and nothing else, as with the real provider.
    """
    before, after = unwrap(olds), unwrap(news)
    changed = [key for key in sorted(_USED - {"version"}) if _differ(before, after, key)]
    if before.get(_IDENTIFIER) and after.get(_IDENTIFIER):
        yield from ((key, key == _IDENTIFIER) for key in changed)
        return
    moved = _server(before) != _server(after) if changed else False
    for key in changed:
        unknown = isinstance(after.get(key), Unknown)
        yield key, key in {"context", "kubeconfig"} and (moved or unknown)


def _differ(before: Properties, after: Properties, key: str) -> bool:
    return not same(before.get(key), after.get(key))


def _server(inputs: Properties) -> str | None:
    """The API server of a configuration, if it can be told."""
    try:
        return None if has_unknown(inputs) else target(inputs).server
    except ProviderError:
        return None


def _switch(value: Any) -> bool:  # noqa: ANN401
    # The SDK writes a provider's inputs as JSON texts.
    return value is True or str(value).lower() == "true"


def _kubeconfig(given: str) -> tuple[str, Any]:
    """The name and the content of the kubeconfig: given as a path or a text, or as kubectl does."""
    try:
        if given and not _is_file(given) and ("\n" in given or given.lstrip().startswith("{")):
            where, merged = "the kubeconfig given", ConfigNode("kubeconfig", yaml.safe_load(given))  # type: ignore[no-untyped-call]
        else:
            where = given or environ.get("KUBECONFIG") or KUBE_CONFIG_DEFAULT_LOCATION
            merged = KubeConfigMerger(where).config  # type: ignore[no-untyped-call]
    except (ConfigException, OSError, yaml.YAMLError) as error:
        raise ProviderError(f"the kubeconfig cannot be read: {error}") from error
    if merged is None:
        raise ProviderError(f"there is no kubeconfig at {where}: set KUBECONFIG")
    return where, merged


def _is_file(given: str) -> bool:
    try:
        return Path(given).expanduser().is_file()
    except OSError:
        return False  # too long for a path: a text


def _refuse_elsewhere(where: str, server: str) -> None:
    """Refuse an API server that is not at an address of this machine's own."""
    host = urlsplit(server).hostname or ""
    if host == "localhost":
        return
    own = {
        address.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
    }
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not (
        address.is_loopback or address.is_unspecified or str(address) in own
    ):
        raise ProviderError(
            f"{where}: the API server is {server}, which is not at an address of this machine; "
            "a rehearsal changes nothing elsewhere. To change that cluster use Pulumi itself"
        )
