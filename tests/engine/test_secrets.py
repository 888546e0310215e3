"""Secrets stay secrets: on the wire, in the state, in what is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.engine.salt import SALT, seal

if TYPE_CHECKING:
    from tests.engine.programs import Run, World

WORD = "xyzzy-plugh-7391"
PROGRAM = """
word = pulumi.Config().require_secret("word")
a = Thing("a", value=word, inside={"list": [word, 1]}, secretOut="x")
b = Thing("b", value=a.token)
c = Thing("c", value=word.apply(lambda found: found.upper()))
pulumi.export("word", word)
pulumi.export("token", b.value)
pulumi.export("plain", a.handle)
"""


@pytest.fixture
def secret_world(world: World) -> World:
    """A stack with a secret in its file, as `pulumi config set --secret` writes it."""
    world.config({"scenarios:word": {"secure": seal(WORD)}}, encryptionsalt=SALT)
    return world


def assert_hidden(world: World, run: Run, *words: str) -> None:
    """None of these words is in anything that the engine keeps or says."""
    files = [path for path in world.backend.state_folder().rglob("*") if path.is_file()]
    for word in words:
        assert word not in run.messages
        for path in files:
            assert word.encode() not in path.read_bytes(), path


def test_a_secret_from_the_stack_file(secret_world: World) -> None:
    world = secret_world
    run = world.up(PROGRAM)
    assert run.ok, run
    hidden = {"secret": WORD}
    assert run.arguments("Create", "a")["properties"] == {
        "value": hidden,
        "inside": {"list": [hidden, 1]},
        "secretOut": "x",
    }
    token = {"secret": "token of a: x"}
    assert run.arguments("Create", "b")["properties"] == {"value": token}
    assert run.arguments("Create", "c")["properties"] == {"value": {"secret": WORD.upper()}}
    assert world.resource("a")["inputs"]["inside"] == {"list": [hidden, 1]}
    assert world.resource("a")["outputs"]["token"] == token
    assert_hidden(world, run, WORD, WORD.upper(), "token of a")
    assert WORD not in json.dumps(world.export())
    assert b"ciphertext" in b"".join(
        path.read_bytes() for path in world.backend.state_folder().rglob("*.json")
    )
    assert world.outputs() == {"word": "[secret]", "token": "[secret]", "plain": "a-1"}
    assert world.outputs(show_secrets=True) == {
        "word": WORD,
        "token": "token of a: x",
        "plain": "a-1",
    }

    again = world.up()
    assert again.changes == {"same": 4}, again
    assert again.arguments("Diff", "a")["oldInputs"]["value"] == hidden
    assert again.arguments("Diff", "a")["olds"]["token"] == token
    gone = world.destroy()
    assert gone.arguments("Delete", "a")["properties"]["value"] == hidden
    assert_hidden(world, gone, WORD)


def test_a_changed_secret(secret_world: World) -> None:
    world = secret_world
    world.good_up(PROGRAM)
    world.config({"scenarios:word": {"secure": seal("frotz-2")}}, encryptionsalt=SALT)
    preview = world.preview()
    assert preview.changes == {"update": 2, "same": 2}, preview
    run = world.up()
    assert run.changes == {"update": 2, "same": 2}, run
    assert run.arguments("Update", "a")["news"]["value"] == {"secret": "frotz-2"}
    assert_hidden(world, run, WORD, "frotz-2", "FROTZ-2")


def test_additional_secret_outputs(world: World) -> None:
    """An output that the provider gives in clear is a secret from then on."""
    world.good_up(f"""
        opts = pulumi.ResourceOptions(additional_secret_outputs=["leaked"])
        a = Thing("a", leak="{WORD}".replace("xyzzy", "zork"), opts=opts)
        pulumi.export("leaked", a.leaked)
    """)
    leaked = WORD.replace("xyzzy", "zork")
    a = world.resource("a")
    assert a["outputs"]["leaked"] == {"secret": leaked}
    assert a["additionalSecretOutputs"] == ["leaked"]
    assert a["inputs"]["leak"] == leaked
    assert world.outputs() == {"leaked": "[secret]"}
    assert world.outputs(show_secrets=True) == {"leaked": leaked}
    assert world.up().changes == {"same": 2}


def test_an_output_becomes_a_secret_without_a_change(world: World) -> None:
    """executeStep marks after every step, also after one that does nothing."""
    world.good_up('Thing("a", leak="zork-1")')
    opts = 'opts=pulumi.ResourceOptions(additional_secret_outputs=["leaked"])'
    run = world.up(f'Thing("a", leak="zork-1", {opts})')
    assert run.changes == {"same": 2}, run
    assert world.resource("a")["outputs"]["leaked"] == {"secret": "zork-1"}


def test_a_refresh_keeps_additional_secrets(world: World) -> None:
    opts = 'opts=pulumi.ResourceOptions(additional_secret_outputs=["leaked"])'
    world.good_up(f'Thing("a", leak="zork-1", {opts})')
    before = world.state()
    run = world.refresh()
    assert run.changes == {"same": 2}, run
    assert world.state() == before
    assert world.resource("a")["outputs"]["leaked"] == {"secret": "zork-1"}


def test_a_secret_of_a_provider(secret_world: World) -> None:
    """CheckConfig gets and gives it in clear, whatever the provider can do (provider_plugin.go)."""
    world = secret_world
    run = world.up("""
        word = pulumi.Config().require_secret("word")
        provider = fake.Provider("p", note=word)
        Thing("a", value=1, opts=pulumi.ResourceOptions(provider=provider))
    """)
    assert run.ok, run
    assert run.arguments("CheckConfig", "p")["news"] == {"note": WORD, "version": "1.2.3"}
    assert world.resource("p")["inputs"]["note"] == {"secret": WORD}
    assert world.resource("p")["outputs"]["note"] == {"secret": WORD}
    assert_hidden(world, run, WORD)


def test_a_value_becomes_a_secret(world: World) -> None:
    """The value is the same, so the provider sees no change; but the state learns of it."""
    world.good_up('Thing("a", value="plain")')
    run = world.up('Thing("a", value=pulumi.Output.secret("plain"))')
    assert run.changes == {"same": 2}, run
    assert run.cloud_calls == []
    assert world.resource("a")["inputs"] == {"value": {"secret": "plain"}}


def test_a_failure_does_not_tell(secret_world: World) -> None:
    run = secret_world.up("""
        word = pulumi.Config().require_secret("word")
        Thing("a", value=word, checkFail={"value": "is too short"})
    """)
    assert not run.ok
    assert "is too short" in run.messages
    assert WORD not in run.messages


def test_a_wrong_passphrase(secret_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
    getattr(secret_world.backend, "environment", {}).pop("PULUMI_CONFIG_PASSPHRASE", None)
    secret_world.program(PROGRAM)
    try:
        run = secret_world.up()
    except AssertionError as refused:  # the real CLI already refuses to make the stack
        assert "passphrase" in str(refused)  # noqa: PT017
        return
    assert not run.ok
    assert "passphrase" in run.messages
    assert run.calls == []
