"""A server that says what hosts there are, as the AWS of a rehearsal does, and opens sessions."""

from __future__ import annotations

from typing import Any

from tests.operations.serving import Handler, Serving


def host(instance: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return one line of the table."""
    return {
        "instance": instance,
        "cluster": "dev",
        "group": "worker",
        "scaling_group": "dask-cluster-dev-worker",
        "address": "10.0.1.5",
        "container": instance,
        "pid": None,
        "state": "booting",
        "step": "instance",
        "reason": "",
        "logs": "/nowhere",
        "seconds": 1,
        **more,
    }


class HostsTable(Serving):
    """Answers GET /_sandbox/hosts, StartSession and TerminateSession.

    Attributes:
        hosts: The hosts.
        asked: How often they were asked for.
        ended: The sessions that were ended.
        silent: Whether it answers with an error.
    """

    def __init__(self) -> None:
        self.hosts: list[dict[str, Any]] = []
        self.asked = 0
        self.ended: list[str] = []
        self.silent = False
        ours = self

        class Table(Handler):
            def get(self) -> None:
                assert self.path == "/_sandbox/hosts"
                ours.asked += 1
                table = {"docker": "unix:///run/x/docker.sock", "hosts": ours.hosts}
                self.answer(500 if ours.silent else 200, table)

            def post(self) -> None:
                body = self.request_body()
                if self.operation == "StartSession":
                    session = f"rehearsal-{body['Parameters']['portNumber'][0]}"
                    body = {"SessionId": session, "TokenValue": "token", "StreamUrl": "wss://x"}
                else:
                    assert self.operation == "TerminateSession"
                    ours.ended.append(body["SessionId"])
                self.answer(200, body)

        super().__init__(Table)
