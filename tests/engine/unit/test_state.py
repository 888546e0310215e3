import base64
import json
from typing import Any

import pytest

from engine.crypter import Crypter
from engine.errors import EngineError
from engine.integrity import verify
from engine.serialize import dump, load
from engine.state import Deployment, Operation, ResourceState
from engine.values import UNKNOWN, UNKNOWN_SENTINEL, ResourceReference, Secret

STACK_URN = "urn:pulumi:s::p::pulumi:pulumi:Stack::p-s"
PROVIDER_URN = "urn:pulumi:s::p::pulumi:providers:k::default"
A_URN = "urn:pulumi:s::p::k:m:T::a"
B_URN = "urn:pulumi:s::p::k:m:T::b"


def stack() -> ResourceState:
    return ResourceState(STACK_URN, "pulumi:pulumi:Stack")


def provider() -> ResourceState:
    return ResourceState(PROVIDER_URN, "pulumi:providers:k", custom=True, id="1")


def thing(urn: str = A_URN, **fields: object) -> ResourceState:
    given: dict[str, Any] = {"parent": STACK_URN, "provider": f"{PROVIDER_URN}::1", "id": "i"}
    return ResourceState(urn, "k:m:T", custom=True, **(given | fields))


def no_crypter() -> Crypter:
    raise AssertionError


@pytest.fixture(scope="module")
def crypter() -> Crypter:
    return Crypter("correct horse")


def test_a_state_survives_its_file(crypter: Crypter) -> None:
    full = thing(
        inputs={"n": 5, "s": Secret({"deep": [1]}), "r": ResourceReference(B_URN, "x")},
        outputs={"none": None, "list": []},
        dependencies=[STACK_URN],
        property_dependencies={"n": [STACK_URN]},
        protect=True,
        init_errors=["not ready"],
        custom_timeouts={"create": 60},
        other={"aliases": ["urn:old"]},
    )
    deployment = Deployment([stack(), provider(), full], [Operation(thing(B_URN), "creating")])
    data = json.loads(json.dumps(dump(deployment, lambda: crypter)))
    text = json.dumps(data)
    assert "deep" not in text
    assert '"n": 5' in text
    again = load(data, lambda: crypter)
    assert [vars(state) for state in again.resources] == [vars(s) for s in deployment.resources]
    assert [(op.type, op.resource.urn) for op in again.pending] == [("creating", B_URN)]
    # What did not change is not encrypted anew, so the file stays as it was.
    assert (
        dump(again, lambda: crypter)["deployment"]["resources"] == data["deployment"]["resources"]
    )


def test_an_unknown_value_does_not_keep_the_rest_from_being_written() -> None:
    data = dump(Deployment([thing(outputs={"later": UNKNOWN})]), no_crypter)
    assert data["deployment"]["resources"][0]["outputs"] == {"later": UNKNOWN_SENTINEL}
    assert load(data, no_crypter).resources[0].outputs == {"later": UNKNOWN}


def test_a_state_without_secrets_needs_no_key() -> None:
    data = dump(Deployment([stack()]), no_crypter)
    assert "secrets_providers" not in data["deployment"]
    assert load(data, no_crypter).resources[0].urn == STACK_URN


def test_plain_secrets_still_name_the_provider_of_secrets(crypter: Crypter) -> None:
    data = dump(Deployment([thing(inputs={"s": Secret("x")})]), lambda: crypter, show_secrets=True)
    assert data["deployment"]["resources"][0]["inputs"]["s"]["plaintext"] == '"x"'
    salt = data["deployment"]["secrets_providers"]["state"]["salt"]
    Crypter("correct horse", salt).check()


def test_a_wrong_passphrase_and_a_damaged_secret_are_errors(crypter: Crypter) -> None:
    with pytest.raises(EngineError, match="incorrect passphrase"):
        Crypter("wrong", crypter.salt_line).check()
    version, nonce, data = crypter.encrypt("text").split(":")
    damaged = base64.b64encode(b"x" + base64.b64decode(data)[1:]).decode()
    with pytest.raises(EngineError):
        crypter.decrypt(f"{version}:{nonce}:{damaged}")
    assert crypter.decrypt(crypter.encrypt("ü")) == "ü"


@pytest.mark.parametrize("field", ["deletedWith", "viewOf", "resourceHooks", "taint"])
def test_what_the_engine_would_ignore_is_refused(field: str) -> None:
    data = dump(Deployment([stack()]), no_crypter)
    data["deployment"]["resources"][0][field] = "x"
    with pytest.raises(EngineError, match=field):
        load(data, no_crypter)


@pytest.mark.parametrize("version", [1, 2, 4, None])
def test_other_versions_are_refused(version: int | None) -> None:
    with pytest.raises(EngineError, match="version 3"):
        load({"version": version, "deployment": {}}, no_crypter)


def test_a_sound_state_passes() -> None:
    old = thing(delete=True, id="old")
    verify([stack(), provider(), thing(), thing(B_URN, dependencies=[A_URN]), old], "s")


@pytest.mark.parametrize(
    ("resources", "fault"),
    [
        ([thing()], "unknown provider"),
        ([stack(), provider(), thing(dependencies=[B_URN]), thing(B_URN)], "comes after it"),
        ([stack(), provider(), thing(dependencies=[B_URN])], "is missing"),
        ([stack(), provider(), thing(property_dependencies={"n": [B_URN]})], "from property n"),
        ([provider(), thing()], "parent"),
        ([stack(), provider(), thing(), thing()], "duplicate resource"),
        ([ResourceState(STACK_URN, "pulumi:pulumi:Stack", id="x")], "non-empty ID"),
        ([ResourceState("", "t")], "missing required 'urn'"),
        ([ResourceState(STACK_URN, "")], "missing required 'type'"),
        ([ResourceState("urn:other", "t")], "invalid URN"),
    ],
)
def test_an_unsound_state_is_refused(resources: list[ResourceState], fault: str) -> None:
    with pytest.raises(EngineError, match=fault):
        verify(resources, "s")


def test_a_state_of_another_stack_is_refused() -> None:
    with pytest.raises(EngineError, match="does not belong"):
        verify([stack()], "other")


def test_what_is_a_secret_already_is_not_encrypted_anew() -> None:
    known = Secret("x", "ciphertext")
    hidden = thing(additional_secret_outputs=["a", "b", "c"]).hidden({"a": known, "b": 1, "d": 2})
    assert hidden == {"a": known, "b": Secret(1), "d": 2}
    assert hidden["a"].ciphertext == "ciphertext"
