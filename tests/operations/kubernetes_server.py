"""The API server of a Kubernetes of JSON: lists by labels, deletes, logs, and commands in pods."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.operations.serving import Handler

if TYPE_CHECKING:
    from tests.operations.kubernetes import Kubernetes

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_PATH = re.compile(
    r"/(?:api/v1|apis/[\w./-]+?/v\d)(?:/namespaces/(?P<namespace>[\w-]+))?/(?P<plural>[a-z]+)"
    r"(?:/(?P<name>[\w.-]+))?(?:/(?P<sub>log|exec))?"
)


class OfKubernetes(Handler):
    """Answers for one Kubernetes."""

    content_type = "application/json"
    kubernetes: Kubernetes

    def get(self) -> None:
        self._do("GET")

    def delete(self) -> None:
        self._do("DELETE")

    def _do(self, method: str) -> None:
        address = urlsplit(self.path)
        self.kubernetes.calls.append(f"{method} {address.path}")
        if address.path == "/version":
            self.answer(200, {"gitVersion": self.kubernetes.version})
            return
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        path = _PATH.fullmatch(address.path)
        assert path, address.path
        where = path.groupdict()
        if refusal := self.kubernetes.refusals.get((method, where["sub"] or where["plural"])):
            code, message = refusal
            self.answer(code, {"message": message})
        elif self.headers["Authorization"] != "Bearer secret":
            self.answer(401, {"message": "Unauthorized"})
        elif where["sub"] == "exec":
            self._execute(parse_qs(address.query)["command"])
        elif where["sub"] == "log":
            self._log(where["name"], query)
        elif where["name"]:
            self._one(method, where)
        else:
            self._list(where, query)

    def _list(self, where: dict[str, str], query: dict[str, str]) -> None:
        of_fields = where["plural"] == "events"
        selector = query["fieldSelector" if of_fields else "labelSelector"]
        wanted = dict(pair.split("=") for pair in selector.split(","))
        there = [
            each
            for each in self.kubernetes.objects.get(where["plural"], [])
            if wanted.items() <= (_fields(each) if of_fields else _labels(each)).items()
            and where["namespace"] in (None, each["metadata"]["namespace"])
        ]
        first = int(query.get("continue", 0))
        last = first + min(self.kubernetes.page, int(query["limit"]))
        more = {"continue": str(last)} if last < len(there) else {}
        self.answer(200, {"kind": "List", "metadata": more, "items": there[first:last]})

    def _one(self, method: str, where: dict[str, str]) -> None:
        all_of_it = self.kubernetes.objects.get(where["plural"], [])
        found = [each for each in all_of_it if each["metadata"]["name"] == where["name"]]
        if not found:
            self.answer(404, {"message": f'{where["plural"]} "{where["name"]}" not found'})
            return
        if method == "DELETE":
            if where["plural"] in self.kubernetes.lingers:
                found[0]["metadata"]["deletionTimestamp"] = (
                    f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
                )
            else:
                all_of_it.remove(found[0])
        self.answer(200, found[0])

    def _log(self, name: str, query: dict[str, str]) -> None:
        text = self.kubernetes.logs.get(f"{name} previous" if "previous" in query else name, "")
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _execute(self, words: list[str]) -> None:
        """Answer as a pod does, by a WebSocket: what it prints, and how it ended."""
        self.kubernetes.executed.append(words)
        key = self.headers["Sec-WebSocket-Key"] + _GUID
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()  # noqa: S324
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        self._frame(2, b"\x01" + json.dumps(self.kubernetes.report).encode() + b"\n")
        self._frame(2, b"\x03" + json.dumps({"status": "Success"}).encode())
        self._frame(8, b"\x03\xe8")
        self.close_connection = True

    def _frame(self, opcode: int, data: bytes) -> None:
        size = len(data)
        head = bytes([0x80 | opcode]) + (
            bytes([size]) if size < 126 else bytes([126]) + size.to_bytes(2, "big")
        )
        self.wfile.write(head + data)
        self.wfile.flush()


def _labels(item: dict[str, Any]) -> dict[str, str]:
    """Return the labels of an object."""
    found: dict[str, str] = item["metadata"]["labels"]
    return found


def _fields(event: dict[str, Any]) -> dict[str, str]:
    """Return the fields by which an event can be chosen."""
    about = {f"involvedObject.{name}": value for name, value in event["involvedObject"].items()}
    return about | {name: event[name] for name in ("reason", "type")}
