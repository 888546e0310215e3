"""What goes wrong while a host boots is named by `up`: which host, why, and its last lines."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from engine.events import StepStarted
from operations import machines, machines_doctor, rehearsed_hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine import Event
    from tests.hosts.hosted import Hosted

pytestmark = pytest.mark.timeout(1200)

INSTANCE = r"i-[0-9a-f]{17}"
# So long `up` waits for what never says anything.
SILENT = "45 s"
PATIENT = "15 minutes"
# Nobody listens there.
NOWHERE = "http://127.0.0.1:9/simple"
PRELOADED = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
RESUMED = {"AZRebalance"}
SUSPENDED = {"AZRebalance", "Launch"}


class Broken:
    """A cluster of which something breaks after an `up` has looked at it: it mends what it sees."""

    def __init__(self, stack: Hosted) -> None:
        self.stack = stack

    def up(self, breaks: Callable[[Hosted], None], **settings: Any) -> str:  # noqa: ANN401
        """Raise the workers from 0 to 1, break something just before; return what `up` says."""
        self.stack.edit(workers=1, **settings)

        def listen(event: Event) -> None:
            if (
                isinstance(event, StepStarted)
                and event.type.endswith("group:Group")
                and event.op == "update"
            ):
                breaks(self.stack)

        result = self.stack.stack.up(listener=listen)
        assert not result.ok
        return "\n".join(each.message for each in result.diagnostics)

    def doctor(self) -> str:
        """Return what the doctor finds wrong, as he prints it."""
        outputs = self.stack.stack.outputs(show_secrets=True)
        found = [
            *machines_doctor.findings(outputs, machines.look(outputs, self.stack), reachable=False),
            *rehearsed_hosts.findings(rehearsed_hosts.look(self.stack.server.endpoint)),
        ]
        return "\n".join(line for well, line in found if not well)

    def told(self, failures: int | None = None) -> dict[str, Any]:
        """Return what the last boot of a worker has told; write how many have failed before."""
        parameters, name = self.stack.client("ssm"), f"/dask-cluster/{self.stack.name}/worker/boot"
        if failures is not None:
            value = json.dumps({"failures": failures, "instance": "i-0", "reason": "", "log": ""})
            parameters.put_parameter(Name=name, Value=value, Overwrite=True)
        found = parameters.get_parameter(Name=name)["Parameter"]["Value"]
        told: dict[str, Any] = json.loads(found)
        return told

    def suspended(self) -> set[str]:
        """Return the processes of the workers' group that are suspended."""
        found = self.stack.group("worker")["SuspendedProcesses"]
        return {each["ProcessName"] for each in found}

    def stops(self) -> None:
        """Wait until the host that failed last has stopped the relaunching, and ended its boot."""
        self.stack.until(lambda: self.suspended() == SUSPENDED, "the relaunching stops")
        done = {"failed", "ending", "ended"}
        hosts = partial(self.stack.hosts, "worker")
        self.stack.until(lambda: {row["state"] for row in hosts()} <= done, "the boots have ended")

    def in_service(self) -> str:
        """Return the one worker; those whose boot failed before may still be about to end."""
        (found,) = (
            each["InstanceId"]
            for each in self.stack.group("worker")["Instances"]
            if each["LifecycleState"] == "InService"
        )
        return str(found)

    def ends(self) -> bool:
        """Return whether the group ends all that it has; else it would take one back."""
        states = [each["LifecycleState"] for each in self.stack.group("worker")["Instances"]]
        return all(state.startswith("Terminat") for state in states)

    def launched(self) -> int:
        """Return how many hosts of the workers' group there were."""
        rows = self.stack.sandbox("GET", "hosts")["hosts"]
        return sum(row["group"] == "worker" for row in rows)


@pytest.fixture(scope="module")
def stack(hosted: Callable[[str], Hosted]) -> Hosted:
    stack = hosted("dev")
    stack.take_committed()
    stack.edit(workers=0, startTimeout=PATIENT)
    stack.up()
    return stack


@pytest.fixture
def broken(stack: Hosted) -> Iterator[Broken]:
    """A cluster that is mended after each test: `up` makes what is lacking, and resumes."""
    broken = Broken(stack)
    yield broken
    spoil(stack)
    stack.sandbox("DELETE", "dry")
    broken.told(failures=0)
    stack.edit(workers=0, startTimeout=PATIENT)
    stack.up()
    assert broken.suspended() == RESUMED
    stack.until(broken.ends, "the workers end")


def spoil(stack: Hosted, **how: Any) -> None:  # noqa: ANN401
    stack.order({"start": {"group": "worker", "how": how or None}})


def variables(**values: str) -> dict[str, str]:
    """Return the file that gives every unit of a host these variables."""
    lines = "".join(f"DefaultEnvironment={key}={value}\n" for key, value in values.items())
    return {"/etc/systemd/system.conf.d/30-broken.conf": f"[Manager]\n{lines}"}


def owned(stack: Hosted, kind: str, name: str) -> str:
    """Return what AWS calls a resource of the stack."""
    (found,) = (
        each.id
        for each in stack.stack.resources()
        if each.type.endswith(f":{kind}") and each.urn.endswith(f"-{name}")
    )
    return str(found)


def no_way_to_packages(stack: Hosted) -> None:
    values = {"PIP_INDEX_URL": NOWHERE, "UV_DEFAULT_INDEX": NOWHERE, "PIP_RETRIES": "0"}
    spoil(stack, built=False, files=variables(**values))


def changed_environment(stack: Hosted) -> None:
    """One of whose files somebody changed after it was built."""
    environment = f"/opt/dask-cluster/{stack.stack.outputs()['environment']}"
    file = "lib/python3.11/site-packages/dask_node/__init__.py"
    spoil(stack, files={f"{environment}/{file}": "changed = True\n"})


def full_disk(stack: Hosted) -> None:
    """One that has room for the archive, and not for what is in it."""
    store = stack.client("s3")
    sizes = [
        item["Size"]
        for bucket in store.list_buckets()["Buckets"]
        for item in store.list_objects_v2(Bucket=bucket["Name"]).get("Contents", ())
    ]
    spoil(stack, run=["--tmpfs", f"/opt/dask-cluster:exec,mode=755,size={max(sizes) * 5 // 4}"])


def wrong_clock(stack: Hosted) -> None:
    spoil(stack, files=variables(LD_PRELOAD=PRELOADED, FAKETIME="+3650d"))


def wrong_identity(stack: Hosted) -> None:
    """The hosts are told another environment than that of their archive."""
    ec2, scaling = stack.client("ec2"), stack.client("autoscaling")
    group = stack.group("worker")
    policy = group["MixedInstancesPolicy"]
    template = policy["LaunchTemplate"]["LaunchTemplateSpecification"]
    which = {"LaunchTemplateId": template["LaunchTemplateId"]}
    (old,) = ec2.describe_launch_template_versions(**which, Versions=[template["Version"]])[
        "LaunchTemplateVersions"
    ]
    text = base64.b64decode(old["LaunchTemplateData"]["UserData"]).decode()
    text = text.replace(stack.stack.outputs()["environment"], "0" * 16)
    made = ec2.create_launch_template_version(
        **which,
        LaunchTemplateData={
            **old["LaunchTemplateData"],
            "UserData": base64.b64encode(text.encode()).decode(),
        },
    )
    template["Version"] = str(made["LaunchTemplateVersion"]["VersionNumber"])
    template.pop("LaunchTemplateName", None)
    scaling.update_auto_scaling_group(
        AutoScalingGroupName=group["AutoScalingGroupName"], MixedInstancesPolicy=policy
    )


def missing_permission(stack: Hosted) -> None:
    role, iam = owned(stack, "Role", "worker"), stack.client("iam")
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    document["Statement"] = [
        each
        for each in document["Statement"]
        if "secretsmanager:GetSecretValue" not in each["Action"]
    ]
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def missing_secret(stack: Hosted) -> None:
    secret = owned(stack, "Secret", "worker")
    stack.client("secretsmanager").delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def closed_port(stack: Hosted) -> None:
    rule = owned(stack, "SecurityGroupIngressRule", "scheduler")
    ec2 = stack.client("ec2")
    (found,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"]
    ec2.revoke_security_group_ingress(GroupId=found["GroupId"], SecurityGroupRuleIds=[rule])


def no_capacity(stack: Hosted) -> None:
    stack.sandbox("POST", "dry", [{"market": "spot"}])


@dataclass(frozen=True)
class Fault:
    """What makes the boot of a host fail, and what has to be said then.

    Attributes:
        breaks: Makes it so.
        reason: One line, as a pattern.
        log: What is in the host's last lines, as a pattern.
    """

    breaks: Callable[[Hosted], None]
    reason: str
    log: str


FAULTS = {
    "environment changed": Fault(
        changed_environment, "the environment [0-9a-f]{16} could not be built", "changed"
    ),
    "full disk": Fault(
        full_disk, r"It failed \(step (archive|checksum), ", "No space left on device"
    ),
    "wrong identity": Fault(
        wrong_identity,
        "the archive makes environment [0-9a-f]{16} here, and 0{16} was asked for",
        "== environment",
    ),
    "missing permission": Fault(
        missing_permission,
        "the certificate cannot be read from the secret arn:aws:secretsmanager:",
        "AccessDenied.* is not authorized to perform: secretsmanager:GetSecretValue",
    ),
    "missing secret": Fault(
        missing_secret,
        "the certificate cannot be read from the secret arn:aws:secretsmanager:",
        "ResourceNotFoundException",
    ),
}


def test_three_failed_boots_stop_the_relaunching(broken: Broken) -> None:
    said = broken.up(no_way_to_packages)
    reason = r"the environment [0-9a-f]{16} could not be built \(step environment, exit code 1\)"
    assert re.search(rf"worker: 3 boots failed, the last on {INSTANCE}: {reason}\n", said), said
    assert re.search(r"\n    install\.sh: cannot install uv with the pip of ", said), said
    broken.stops()
    found = broken.doctor()
    last = broken.told()["instance"]
    assert f"Group worker: 3 boots in a row failed, on {last}: the environment" in found
    assert f"last lines of the boot of {last}" in found
    assert "install.sh: cannot install uv with the pip of " in found
    # Nobody starts a fourth one.
    assert broken.launched() == 3

    # What was wrong is mended, and `up` resumes the group.
    spoil(broken.stack)
    broken.stack.up()
    assert broken.suspended() == RESUMED
    assert broken.told()["failures"] == 0
    assert broken.launched() == 4


@pytest.mark.parametrize("name", FAULTS)
def test_a_boot_that_fails_is_named(broken: Broken, name: str) -> None:
    fault = FAULTS[name]
    # As if two had failed: the third is the last, and `up` waits for no other one.
    broken.told(failures=2)
    said = broken.up(fault.breaks)
    last = broken.told()["instance"]
    assert re.search(rf"worker: 3 boots failed, the last on {last}: {fault.reason}", said), said
    assert re.search(rf"\n    .*{fault.log}", said), said
    found = broken.doctor()
    assert re.search(rf"Group worker: 3 boots .* failed, on {last}: {fault.reason}", found), found
    assert re.search(fault.log, found), found
    broken.stops()


def test_no_capacity_is_named_in_the_groups_own_words(broken: Broken) -> None:
    said = broken.up(no_capacity, startTimeout="15 s")
    assert "not ready after 15 s: worker: 0 of 1 machines are in service." in said
    assert "InsufficientInstanceCapacity" in said
    assert "InsufficientInstanceCapacity" in broken.doctor()


def test_a_host_that_cannot_tell_anything_is_named(broken: Broken) -> None:
    """AWS refuses whatever a host with a wrong clock signs."""
    said = broken.up(wrong_clock, startTimeout=SILENT)
    name = broken.in_service()
    silent = rf"worker: 1 of 1 machines are in service, 0 have registered: {name}\."
    assert re.search(rf"not ready after {SILENT}: {silent}", said), said

    def ended() -> bool:
        rows = broken.stack.hosts("worker", state="failed")
        return name in {row["instance"] for row in rows}

    broken.stack.until(ended, "the boot ends")
    found = broken.doctor()
    assert name in found, found
    assert "Signature not yet current" in found, found


def test_a_host_that_does_not_reach_the_scheduler_is_named(broken: Broken) -> None:
    said = broken.up(closed_port, startTimeout=SILENT)
    name = broken.in_service()
    silent = rf"worker: 1 of 1 machines are in service, 0 have registered: {name}\."
    assert re.search(rf"not ready after {SILENT}: {silent}", said), said
    # The boot goes well: what it lacks shows later.
    up = partial(broken.stack.hosts, "worker", state="up")
    broken.stack.until(up, "the worker has booted")
    assert [row["instance"] for row in up()] == [name]
    # `up` makes the rule again, and the same worker comes.
    broken.stack.edit(startTimeout=PATIENT)
    broken.stack.up()
    assert [row["instance"] for row in up()] == [name]
