"""The provider plugin against a real API server, driven by the embedded engine."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.kubernetes import cluster
from tests.kubernetes.declared.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sandbox.provider.cases.case import Value

pytestmark = [pytest.mark.usefixtures("kubernetes"), pytest.mark.timeout(300)]

PAUSE = {"name": "main", "image": "registry.example.org/none:1"}
HUGE = {"requests": {"cpu": "1000", "memory": "1024Mi"}, "limits": {"memory": "1048576Ki"}}


def labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name}


class Declared(World):
    """A world with the objects of these tests."""

    def namespaced(self) -> dict[str, Any]:
        inputs = {"metadata": {"name": self.namespace}}
        return {"kind": "core.v1.Namespace", "inputs": inputs}

    def about(self, name: str, **more: Value) -> dict[str, Any]:
        return {"name": name, "namespace": self.namespace, **more}

    def deployment(self, name: str, **more: Value) -> dict[str, Any]:
        """One that has no pods unless it is asked for some."""
        spec = {
            "replicas": more.pop("replicas", 0),
            "selector": {"matchLabels": labels(more.pop("selected", name))},
            "template": {
                "metadata": {"labels": labels(more.pop("labelled", name))},
                "spec": {
                    "containers": [{**PAUSE, **more.pop("container", {})}],
                    "terminationGracePeriodSeconds": 0,
                    **more.pop("pod", {}),
                },
            },
        }
        annotations = more.pop("annotations", {})
        metadata = self.about(name, annotations=annotations, labels=labels(name))
        inputs = {"metadata": metadata, "spec": spec}
        return {"kind": "apps.v1.Deployment", "inputs": inputs, "after": ["space"], **more}

    def configured(self, **data: str) -> dict[str, Any]:
        inputs = {"metadata": self.about("settings"), "data": data}
        return {"kind": "core.v1.ConfigMap", "inputs": inputs, "after": ["space"]}

    def made(self, **objects: Value) -> None:
        """Write a program with the namespace and these objects, and bring it up."""
        self.write(space=self.namespaced(), **objects)
        self.good("up")


@pytest.fixture
def bare(kubernetes: None, tmp_path: Path) -> Declared:  # noqa: ARG001
    """A world that has nothing yet."""
    running = cluster.find()
    assert running is not None
    return Declared(tmp_path / "project", running.kubeconfig, f"declared-{secrets.token_hex(4)}")


@pytest.fixture
def world(bare: Declared) -> Iterator[Declared]:
    """A world that leaves nothing on the server."""
    yield bare
    bare.good("destroy")
    assert "not found" in bare.kubectl("get", f"namespace/{bare.namespace}", good=False)
    assert bare.states() == {}


def everything(world: Declared) -> dict[str, Any]:
    """An object of each kind that a cluster has, with the things that servers write otherwise."""
    after = {"after": ["space"]}
    group = {"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": "role"}
    subject = {"kind": "ServiceAccount", "name": "account", "namespace": world.namespace}
    rule = {"api_groups": [""], "resources": ["pods"], "verbs": ["get", "patch"]}
    resources = {"limits": {"cpu": "1000m", "memory": "2147483648"}, "requests": {"cpu": 0.5}}
    env = [{"name": "EMPTY", "value": ""}, {"name": "FULL", "value": "1"}]
    return {
        "space": world.namespaced(),
        "settings": world.configured(text="a: 1\n", empty=""),
        "secret": {
            "kind": "core.v1.Secret",
            "inputs": {"metadata": world.about("secret"), "string_data": {"token": "hunter2"}},
            **after,
        },
        "account": {
            "kind": "core.v1.ServiceAccount",
            "inputs": {
                "metadata": world.about("account"),
                "automount_service_account_token": False,
            },
            **after,
        },
        "role": {
            "kind": "rbac.v1.Role",
            "inputs": {"metadata": world.about("role"), "rules": [rule]},
            **after,
        },
        "binding": {
            "kind": "rbac.v1.RoleBinding",
            "inputs": {
                "metadata": world.about("binding"),
                "role_ref": group,
                "subjects": [subject],
            },
            **after,
        },
        "policy": {
            "kind": "networking.v1.NetworkPolicy",
            "inputs": {
                "metadata": world.about("policy"),
                "spec": {
                    "pod_selector": {},
                    "policy_types": ["Ingress"],
                    "ingress": [{"ports": [{"port": 8786}], "from": [{"pod_selector": {}}]}],
                },
            },
            **after,
        },
        "budget": {
            "kind": "policy.v1.PodDisruptionBudget",
            "inputs": {
                "metadata": world.about("budget"),
                "spec": {"max_unavailable": 0, "selector": {"matchLabels": labels("web")}},
            },
            **after,
        },
        "web": world.deployment(
            "web",
            container={"resources": resources, "env": env, "stdin": False},
            pod={
                "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "1024Mi"}}],
                "hostNetwork": False,
            },
        ),
        "service": {
            "kind": "core.v1.Service",
            "inputs": {
                "metadata": world.about("web"),
                "spec": {"selector": labels("web"), "ports": [{"name": "tls", "port": 8786}]},
            },
            **after,
        },
        "scaler": {
            "kind": "autoscaling.v2.HorizontalPodAutoscaler",
            "inputs": {
                "metadata": world.about("web"),
                "spec": {
                    "max_replicas": 3,
                    "min_replicas": 1,
                    "scale_target_ref": {
                        "api_version": "apps/v1",
                        "kind": "Deployment",
                        "name": "web",
                    },
                    "metrics": [
                        {
                            "type": "Resource",
                            "resource": {
                                "name": "cpu",
                                "target": {"type": "Utilization", "average_utilization": 80},
                            },
                        }
                    ],
                },
            },
            **after,
        },
        "home": {
            "kind": "core.v1.PersistentVolumeClaim",
            "inputs": {
                "metadata": world.about("home", annotations={"pulumi.com/skipAwait": "true"}),
                "spec": {
                    "access_modes": ["ReadWriteOnce"],
                    "storage_class_name": "none",
                    "resources": {"requests": {"storage": "10240Mi"}},
                },
            },
            **after,
        },
    }


def test_a_life_of_every_kind(world: Declared) -> None:
    world.write(**everything(world))
    planned = world.good("preview")
    assert set(planned.changed) == set(everything(world))
    assert "not found" in world.kubectl("get", f"namespace/{world.namespace}", good=False)
    world.good("up")
    world.quiet()
    token = world.get("secret/secret")["data"]["token"]
    assert base64.b64decode(token) == b"hunter2"
    recorded = (world.folder.parent / "home" / "state" / "dev").rglob("*.json")
    for file in recorded:
        text = file.read_text()
        assert "hunter2" not in text
        assert token not in text


def test_an_update_in_place(world: Declared) -> None:
    world.provider["enable_config_map_mutable"] = True
    space = world.namespaced()
    world.made(settings=world.configured(a="1"), web=world.deployment("web"))
    before = world.get("configmap/settings")["metadata"]["uid"]
    changed = {"settings": world.configured(a="2"), "web": world.deployment("web")}
    world.write(space=space, **changed)
    planned = world.good("preview")
    assert planned.changed == {"settings": {"update"}}
    assert world.get("configmap/settings")["data"] == {"a": "1"}
    run = world.good("up")
    assert run.changed == {"settings": {"update"}}
    assert run.paths["settings"] >= {"data.a"}
    after = world.get("configmap/settings")
    assert (after["data"], after["metadata"]["uid"]) == ({"a": "2"}, before)
    world.write(space=space, settings=world.configured(b="3"))
    assert world.good("up").changed == {"settings": {"update"}, "web": {"delete"}}
    assert world.get("configmap/settings")["data"] == {"b": "3"}
    assert "not found" in world.kubectl("get", "deployment/web", good=False)


def test_what_cannot_change_is_replaced(world: Declared) -> None:
    world.made(settings=world.configured(a="1"), web=world.deployment("web"))
    before = {w: world.get(w)["metadata"]["uid"] for w in ("configmap/settings", "deployment/web")}
    web = world.deployment("web", selected="other", labelled="other")
    world.write(space=world.namespaced(), settings=world.configured(a="2"), web=web)
    run = world.good("up")
    assert run.changed == {
        name: {"delete-replaced", "replace", "create-replacement"} for name in ("settings", "web")
    }
    assert all(world.get(what)["metadata"]["uid"] != uid for what, uid in before.items())
    world.quiet()


def test_a_name_that_pulumi_chose(world: Declared) -> None:
    unnamed: dict[str, Any] = {
        "kind": "core.v1.ConfigMap",
        "inputs": {"metadata": {"namespace": world.namespace}, "data": {"a": "1"}},
        "after": ["space"],
    }
    world.made(free=unnamed)
    name = world.states()["free"].id.rpartition("/")[2]
    assert name.startswith("free-")
    assert len(name) == len("free-") + 8
    assert world.get(f"configmap/{name}")["metadata"]["annotations"] == {
        "pulumi.com/autonamed": "true"
    }
    world.quiet()
    unnamed["inputs"]["data"] = {"a": "2"}
    world.write(space=world.namespaced(), free=unnamed)
    # The new one can stand beside the old one, so it comes first.
    assert world.good("up").changed == {
        "free": {"create-replacement", "replace", "delete-replaced"}
    }
    assert world.states()["free"].id.rpartition("/")[2] != name


def test_drift_is_seen_and_repaired(world: Declared) -> None:
    web = world.deployment("web", annotations={"dask-cluster/workers": "2"})
    objects = {"space": world.namespaced(), "web": web, "settings": world.configured(a="1")}
    world.write(**objects)
    world.good("up")
    world.kubectl("annotate", "--overwrite", "deployment/web", "dask-cluster/workers=9")
    world.kubectl("delete", "configmap/settings")
    run = world.good("up")
    assert run.found["web"] == "update"
    assert run.found["settings"] == "delete"
    assert "update" in run.changed["web"]
    assert run.changed["settings"] == {"create"}
    annotations = world.get("deployment/web")["metadata"]["annotations"]
    assert annotations["dask-cluster/workers"] == "2"
    world.quiet()


def test_the_number_of_another_is_a_conflict(world: Declared) -> None:
    world.made(web=world.deployment("web"))
    world.kubectl("scale", "deployment/web", "--replicas=1")
    run = world.run("up")
    assert not run.ok
    assert '"kubectl"' in run.messages
    assert ".spec.replicas" in run.messages
    assert "pulumi.com/patchForce" in run.messages
    assert world.get("deployment/web")["spec"]["replicas"] == 1
    forced = {"pulumi.com/patchForce": "true"}
    world.write(space=world.namespaced(), web=world.deployment("web", annotations=forced))
    assert world.good("up").changed == {"web": {"update"}}
    assert world.get("deployment/web")["spec"]["replicas"] == 0
    world.kubectl("scale", "deployment/web", "--replicas=1")
    world.good("up")
    assert world.get("deployment/web")["spec"]["replicas"] == 0
    world.quiet()


def test_an_ignored_number_is_left_alone(world: Declared) -> None:
    options = {"ignore_changes": ["spec.replicas"]}
    still = {"pulumi.com/skipAwait": "true"}
    world.made(web=world.deployment("web", options=options, annotations=still))
    world.kubectl("scale", "deployment/web", "--replicas=3")
    world.quiet()
    for text, replicas in (("1", 3), ("2", 5)):
        changed = {**still, "note": text}
        web = world.deployment("web", options=options, annotations=changed)
        world.write(space=world.namespaced(), web=web)
        assert world.good("up").changed == {"web": {"update"}}
        found = world.get("deployment/web")
        assert found["spec"]["replicas"] == replicas
        assert found["metadata"]["annotations"]["note"] == text
        owners = {
            entry["manager"]
            for entry in found["metadata"]["managedFields"]
            if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
        }
        assert owners == {"kubectl"}
        world.kubectl("scale", "deployment/web", "--replicas=5")


def test_an_ignored_number_that_nobody_changed_stays(world: Declared) -> None:
    options = {"ignore_changes": ["spec.replicas"]}
    still = {"pulumi.com/skipAwait": "true"}
    world.made(web=world.deployment("web", replicas=2, options=options, annotations=still))
    noted = {**still, "note": "1"}
    web = world.deployment("web", replicas=7, options=options, annotations=noted)
    world.write(space=world.namespaced(), web=web)
    assert world.good("up").changed == {"web": {"update"}}
    assert world.get("deployment/web")["spec"]["replicas"] == 2


def test_an_object_of_another_is_not_taken(world: Declared) -> None:
    world.made()
    world.kubectl("create", "configmap", "settings", "--from-literal=a=0")
    world.write(space=world.namespaced(), settings=world.configured(a="1"))
    run = world.run("up")
    assert not run.ok
    assert "already exists" in run.messages
    assert f"{world.namespace}/settings" in run.messages
    assert world.get("configmap/settings")["data"] == {"a": "0"}


def test_pods_that_do_not_start_are_named(world: Declared) -> None:
    waiting = {"custom_timeouts": {"create": "15s", "update": "15s"}}
    container = {"resources": HUGE}
    web = world.deployment("web", replicas=1, container=container, options=waiting)
    world.write(space=world.namespaced(), web=web)
    run = world.run("up")
    assert not run.ok
    assert "web is not ready after 15 s" in run.messages
    assert f"[Pod {world.namespace}/web-" in run.messages
    assert "nodes are available" in run.messages or "no nodes available" in run.messages
    # It is recorded, so the next run goes on from there and finds it as it is to be.
    assert world.states()["web"].init_errors
    world.write(space=world.namespaced(), web=world.deployment("web", container=container))
    assert world.good("up").changed == {"web": {"update"}}
    assert not world.states()["web"].init_errors
    world.quiet()


def test_one_that_need_not_be_ready_is_not_waited_for(world: Declared) -> None:
    still = {"pulumi.com/skipAwait": "true"}
    container = {"resources": HUGE}
    world.made(web=world.deployment("web", replicas=1, container=container, annotations=still))
    world.quiet()


def test_a_misspelt_field_is_refused(world: Declared) -> None:
    web = world.deployment("web", container={"imagePullPolice": "Never"})
    world.made()
    world.write(space=world.namespaced(), web=web)
    run = world.run("preview")
    assert not run.ok
    assert "imagePullPolice" in run.messages


def test_an_api_server_elsewhere_is_refused(bare: Declared, tmp_path: Path) -> None:
    elsewhere = tmp_path / "kubeconfig"
    text = bare.kubectl("config", "view", "--raw", "--flatten")
    server = next(line for line in text.splitlines() if "server:" in line)
    elsewhere.write_text(text.replace(server, "    server: https://cluster.example.org:6443"))
    bare.kubeconfig = elsewhere
    bare.write(space=bare.namespaced())
    run = bare.run("up")
    assert not run.ok
    assert "https://cluster.example.org:6443" in run.messages
    assert "not at an address of this machine" in run.messages
