"""Nobody gets in: what a peer needs, and what of it lies on the disk."""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
import stat
from typing import TYPE_CHECKING

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed import Client, Security

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.local.cluster import Cluster

# distributed logs the refused handshakes and retries until its time is over.
SECONDS = 3


def certificate(
    folder: Path,
    *,
    authority: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
    days: int,
) -> tuple[Path, Path]:
    """Write a client's certificate and key, signed by an authority or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stranger")])
    end = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(authority[0].subject if authority else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - dt.timedelta(days=30))
        .not_valid_after(end)
        .sign(authority[1] if authority else key, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(pem)
    return folder / "cert.pem", folder / "key.pem"


def refused(cluster: Cluster, security: Security, protocol: str = "tls") -> str:
    """Try to connect and return what the client was told."""
    port = cluster.settings["schedulerPort"]
    socket.create_connection(("127.0.0.1", port), timeout=5).close()  # somebody is there to refuse
    address = f"{protocol}://127.0.0.1:{port}"
    with pytest.raises((OSError, TimeoutError, RuntimeError)) as told:
        Client(address, security=security, timeout=SECONDS)
    assert "Connection refused" not in str(told.value)
    return str(told.value)


def test_the_right_certificate_connects(running: Cluster) -> None:
    with running.client() as client:
        assert client.submit(max, [1, 3, 2]).result() == 3


def test_no_certificate(running: Cluster) -> None:
    # Dask's own client does not even dial without one, so this one speaks TLS by itself.
    context = ssl.create_default_context(
        cafile=str(running.folder / "certificates" / "authority.pem")
    )
    context.check_hostname = False
    address = ("127.0.0.1", running.settings["schedulerPort"])
    with (
        socket.create_connection(address, timeout=10) as plain,
        pytest.raises(ssl.SSLError, match="certificate required"),
        context.wrap_socket(plain) as secured,
    ):
        # In TLS 1.3 the client learns of the refusal with the first bytes that it reads.
        secured.recv(1)


def test_a_certificate_of_another_authority(running: Cluster, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path / "other", authority=None, days=10)
    ours = str(running.folder / "certificates" / "authority.pem")
    security = Security(tls_ca_file=ours, tls_client_cert=str(cert), tls_client_key=str(key))
    refused(running, security)


def test_a_client_that_trusts_another_authority(running: Cluster, tmp_path: Path) -> None:
    cert, _key = certificate(tmp_path / "other", authority=None, days=10)
    ours = running.folder / "certificates"
    security = Security(
        tls_ca_file=str(cert),
        tls_client_cert=str(ours / "client.pem"),
        tls_client_key=str(ours / "client.key"),
    )
    refused(running, security)


def test_an_expired_certificate_of_the_right_authority(running: Cluster, tmp_path: Path) -> None:
    # The authority's key is a secret of the state: an owner may read it, and so may this test.
    exported = running.command("export", "local", "--show-secrets")
    resources = json.loads(exported)["deployment"]["resources"]
    outputs = next(r["outputs"] for r in resources if r["type"].endswith(":Authority"))
    pem = json.loads(outputs["private_key"]["plaintext"])
    signer = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    authority = (x509.load_pem_x509_certificate(outputs["certificate"].encode()), signer)
    ours = str(running.folder / "certificates" / "authority.pem")
    for days, ok in ((10, True), (-1, False)):
        cert, key = certificate(tmp_path / str(days), authority=authority, days=days)
        security = Security(
            tls_ca_file=ours,
            tls_client_cert=str(cert),
            tls_client_key=str(key),
            require_encryption=True,
        )
        if ok:
            address = f"tls://127.0.0.1:{running.settings['schedulerPort']}"
            with Client(address, security=security, timeout=30) as client:
                assert client.submit(sum, [1, 1]).result() == 2
        else:
            refused(running, security)


def test_plain_tcp(running: Cluster) -> None:
    refused(running, Security(), protocol="tcp")


def test_every_process_refuses_to_talk_in_clear_by_itself(running: Cluster) -> None:
    def required() -> bool:
        import dask  # noqa: PLC0415

        return dask.config.get("distributed.comm.require-encryption") is True

    with running.client() as client:
        assert client.run_on_scheduler(required)
        assert list(client.run(required).values()) == [True, True]


def test_everything_listens_on_loopback(running: Cluster) -> None:
    pids = {p.pid for p in running.processes()}
    listening = [
        c.laddr.ip
        for p in psutil.process_iter()
        if p.pid in pids
        for c in p.net_connections("inet")
        if c.status == psutil.CONN_LISTEN
    ]
    # Scheduler and dashboard; and for each worker a nanny, a worker and its dashboard.
    assert len(listening) >= 2 + 2 * 3
    assert set(listening) == {"127.0.0.1"}


def test_the_dashboard_answers_on_loopback_alone(running: Cluster) -> None:
    port = running.settings["dashboardPort"]
    socket.create_connection(("127.0.0.1", port), timeout=5).close()
    others = [
        a.address
        for addresses in psutil.net_if_addrs().values()
        for a in addresses
        if a.family == socket.AF_INET and not a.address.startswith("127.")
    ]
    for address in others:
        with pytest.raises(OSError, match=r"refused|timed out"):
            socket.create_connection((address, port), timeout=5)


def test_keys_can_be_read_by_their_owner_only(running: Cluster) -> None:
    certificates = running.folder / "certificates"
    keys = sorted(path.name for path in certificates.glob("*.key"))
    assert keys == ["client.key", "scheduler.key", "worker.key"]
    for path in certificates.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for folder in (certificates, running.folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    assert len({path.read_bytes() for path in certificates.glob("*.key")}) == 3


def test_no_key_in_a_process_or_a_log(running: Cluster) -> None:
    for process in running.processes():
        words = [*process.cmdline(), *process.environ().values()]
        assert not any("PRIVATE KEY" in word for word in words), process
    for log in (running.folder / "logs").iterdir():
        assert b"PRIVATE KEY" not in log.read_bytes(), log


def test_up_renews_certificates_that_end_soon(project: Callable[..., Cluster]) -> None:
    cluster = project(workers=1)
    cluster.up()
    old = (cluster.folder / "certificates" / "client.pem").read_bytes()
    authority = (cluster.folder / "certificates" / "authority.pem").read_bytes()
    assert " no " not in cluster.command("doctor", "local")
    # In this copy of the project a year from now is soon; ten years are not.
    module = cluster.directory / "components" / "certificates.py"
    module.write_text(module.read_text().replace("RENEW_DAYS = 30", "RENEW_DAYS = 400"))
    cluster.up()
    assert (cluster.folder / "certificates" / "client.pem").read_bytes() != old
    assert (cluster.folder / "certificates" / "authority.pem").read_bytes() == authority
    with cluster.client() as client:
        assert client.submit(sum, [20, 22]).result() == 42
