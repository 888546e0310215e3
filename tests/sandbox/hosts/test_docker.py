"""What hosts are made of, as far as no engine is needed."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from sandbox.hosts import environment_image, names, root_image
from sandbox.hosts.container import Given, host_arguments, host_name
from sandbox.machine import apt_sources, docker, docker_calls
from sandbox.machine.registries import Registries

if TYPE_CHECKING:
    from pathlib import Path


class TestDocker:
    def test_what_is_not_there_is_told_from_what_fails(self) -> None:
        missing = docker_calls._error(["rm"], "Error response from daemon: No such container: x")
        network = docker_calls._error(["network", "rm"], "Error: network x not found")
        other = docker_calls._error(
            ["run"], "Error response from daemon: Conflict. The name is used"
        )
        assert isinstance(missing, docker_calls.DockerMissingError)
        assert isinstance(network, docker_calls.DockerMissingError)
        assert not isinstance(other, docker_calls.DockerMissingError)
        assert "docker run" in str(other)
        assert "Conflict" in str(other)

    def test_an_engine_elsewhere_is_not_the_machines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
        assert docker.Docker.found() is None

    def test_an_engine_that_does_not_answer_is_none(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
        assert docker.Docker.found() is None

    def test_a_line_of_ps(self) -> None:
        line = {"Names": "i-1", "State": "exited", "Labels": "a=1,dask-cluster.rehearsal=0f"}
        found = docker._container(line)
        assert found.labels == {"a": "1", "dask-cluster.rehearsal": "0f"}
        assert (found.name, found.state) == ("i-1", "exited")

    def test_events(self) -> None:
        told = [
            {"Action": "start", "Actor": {"Attributes": {"name": "i-1"}}},
            {"Action": "die", "Actor": {"Attributes": {"name": "i-1", "exitCode": "137"}}},
        ]
        lines = io.BytesIO("".join(json.dumps(each) + "\n" for each in told).encode())
        assert list(docker._events(lines)) == [
            docker.Event("start", "i-1", None),
            docker.Event("die", "i-1", 137),
        ]

    def test_a_tar_of_texts(self) -> None:
        with tarfile.open(fileobj=io.BytesIO(docker_calls.tar_of({"/etc/a": "ü"}))) as tar:
            (entry,) = tar.getmembers()
            read = tar.extractfile(entry)
            assert read is not None
            assert (entry.name, entry.mode, read.read()) == ("etc/a", 0o644, "ü".encode())


class TestAptSources:
    @pytest.fixture
    def apt(self, tmp_path: Path) -> Path:
        (tmp_path / "sources.list.d").mkdir()
        return tmp_path

    def test_the_machines_mirrors_of_debian_and_nobody_elses(self, apt: Path) -> None:
        folder = apt / "sources.list.d"
        (folder / "debian.sources").write_text(
            "Types: deb\n# once\nURIs: http://mirror.test/debian\n"
            "Suites: bookworm bookworm-updates\nComponents: main contrib\n\n"
            "Types: deb\nURIs: http://mirror.test/debian-security/\n"
            "Suites: bookworm-security\nComponents: main\n\n"
            "Types: deb-src\nURIs: http://mirror.test/debian\nSuites: bookworm\nComponents: main\n"
        )
        (folder / "others.sources").write_text(
            "Types: deb\nURIs: https://apt.test/\nSuites: bookworm\nComponents: main\n\n"
            "Types: deb\nURIs: http://mirror.test/debian\nSuites: trixie\nComponents: main\n\n"
            "Enabled: no\nTypes: deb\nURIs: http://off.test/debian\n"
            "Suites: bookworm\nComponents: main\n"
        )
        (folder / "docker.list").write_text(
            "deb [arch=amd64] https://download.test/linux/debian bookworm stable\n"
        )
        (apt / "sources.list").write_text(
            "# deb http://no.test/debian bookworm main\n"
            "deb [arch=amd64] http://lines.test/debian bookworm main # ours\n"
        )
        lines, stanzas = apt_sources.sources(apt)
        assert lines.splitlines() == [
            "deb [arch=amd64] http://lines.test/debian bookworm main # ours"
        ]
        assert stanzas.count("Types:") == 2
        assert "mirror.test/debian\n" in stanzas
        assert "mirror.test/debian-security/\n" in stanzas
        assert "once" not in stanzas

    def test_debians_own_where_the_machine_is_another(self, apt: Path) -> None:
        assert apt_sources.sources(apt) == [apt_sources.ELSEWHERE]


class TestRecipe:
    def test_a_boot_installs_no_package(self) -> None:
        packages = root_image.packages()
        assert {"python3", "python3-pip", "ca-certificates", "awscli", "logrotate"} <= set(packages)
        assert {"systemd-sysv", "cloud-init", "faketime"} <= set(packages)
        assert "-" not in packages
        assert "amazon-efs-utils" not in packages

    def test_another_recipe_is_another_image(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        before = root_image.recipe_hash()
        assert before == root_image.recipe_hash()
        table = tmp_path / "packages.txt"
        table.write_text("# need debian amazon\npython  python3,jq  python3\n")
        monkeypatch.setattr(root_image, "TABLES", (table,))
        assert "jq" in root_image.packages()
        assert root_image.recipe_hash() != before

    def test_what_runs_is_executable_in_the_image(self) -> None:
        with tarfile.open(fileobj=io.BytesIO(root_image._recipe_tar())) as tar:
            modes = {each.name: each.mode for each in tar if each.isfile()}
        assert modes["usr/local/bin/aws"] == modes["usr/local/sbin/host-init"] == 0o755
        assert modes["root/recipe/efs/usr/sbin/mount.efs"] == 0o755
        assert modes["etc/cloud/cloud.cfg.d/99-rehearsal.cfg"] == 0o644

    def test_the_archive_is_put_below_a_folder(self) -> None:
        archive = docker_calls.tar_of({"environment/install.sh": "x"})
        moved = environment_image._below(archive, "/root/archive")
        with tarfile.open(fileobj=io.BytesIO(moved)) as tar:
            assert tar.getnames() == ["root/archive/environment/install.sh"]

    def test_the_identity_is_in_the_tag(self) -> None:
        assert environment_image.identity_of("dask-cluster-host:0a-9d15") == "9d15"
        assert not environment_image.identity_of("dask-cluster-host:0a")


class TestRegistries:
    @pytest.fixture
    def machine(self, tmp_path: Path) -> Path:
        for path in ("etc/ssl/certs/ca-certificates.crt", "etc/pip.conf", "home/me/ca.pem",
                     "home/me/.config/uv/uv.toml", "wheels/a.whl"):  # fmt: skip
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text("")
        return tmp_path

    def test_what_says_where_packages_come_from_and_nothing_else(self, machine: Path) -> None:
        given = Registries.here(
            {
                "HOME": "/home/me",
                "PIP_INDEX_URL": "https://mirror.test/simple",
                "UV_INDEX_OURS_URL": "https://mirror.test/ours",
                "SSL_CERT_FILE": "/home/me/ca.pem",
                "REQUESTS_CA_BUNDLE": "/gone.pem",
                "PIP_FIND_LINKS": "/wheels",
                "UV_FIND_LINKS": "/gone",
                # None of these.
                "UV_CACHE_DIR": "/wheels",
                "PIP_TARGET": "/wheels",
                "AWS_SECRET_ACCESS_KEY": "s",
                "AWS_CA_BUNDLE": "/home/me/ca.pem",
                "GITHUB_TOKEN": "t",
                "UV_PUBLISH_TOKEN": "t",
            },
            machine,
        )
        assert given.variables == {
            "PIP_INDEX_URL": "https://mirror.test/simple",
            "UV_INDEX_OURS_URL": "https://mirror.test/ours",
            "SSL_CERT_FILE": "/home/me/ca.pem",
            "PIP_FIND_LINKS": "/wheels",
        }
        assert given.files == {
            "/etc/ssl/certs/ca-certificates.crt": machine / "etc/ssl/certs/ca-certificates.crt",
            "/etc/pip.conf": machine / "etc/pip.conf",
            "/root/.config/uv/uv.toml": machine / "home/me/.config/uv/uv.toml",
            "/home/me/ca.pem": machine / "home/me/ca.pem",
            "/wheels": machine / "wheels",
        }

    def test_a_proxy_is_not_asked_for_what_aws_serves_on_the_host(self, machine: Path) -> None:
        given = Registries.here(
            {"https_proxy": "http://p.test:1", "NO_PROXY": "a.test"}, machine, direct=names.DIRECT
        )
        assert given.variables["no_proxy"] == given.variables["NO_PROXY"]
        left_out = given.variables["no_proxy"].split(",")
        assert {"a.test", "169.254.169.254", "169.254.169.252"} <= set(left_out)
        assert "no_proxy" not in Registries.here({}, machine).variables

    def test_systemd_reads_values_as_they_are(self) -> None:
        text = Registries({"A": 'a "b" 100%\\'}, {}).drop_in()
        assert text == '[Manager]\nDefaultEnvironment="A=a \\"b\\" 100%%\\\\"\n'


def test_how_a_host_is_started(tmp_path: Path) -> None:
    registries = Registries({"PIP_NO_INDEX": "1"}, {"/etc/pip.conf": tmp_path / "pip.conf"})
    given = Given.prepare(tmp_path, registries)
    found = host_arguments(given, network="net", address="10.0.1.4", label="k=v")
    assert "--privileged" not in found
    assert found[found.index("--ip") + 1] == "10.0.1.4"
    assert found[found.index("--hostname") + 1] == host_name("10.0.1.4") == "ip-10-0-1-4"
    assert found[found.index("--cgroupns") + 1] == "private"
    assert f"--mount=type=bind,source={tmp_path}/pip.conf,target=/etc/pip.conf,readonly" in found
    assert given.resolver.read_text() == "nameserver 169.254.169.253\n"
    assert '"PIP_NO_INDEX=1"' in given.manager.read_text()
    assert given.shared.is_dir()
