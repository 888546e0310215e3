"""EFS and FSx for Lustre: changes, and the interfaces by which a network holds them."""

import json
import time
from typing import Any, Final

from moto.core.common_types import TYPE_RESPONSE
from moto.core.exceptions import JsonRESTError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.efs.models import EFSBackend, FileSystem
from moto.efs.responses import EFSResponse
from moto.fsx.models import FileSystem as LustreFileSystem
from moto.fsx.models import FSxBackend
from moto.fsx.responses import FSxResponse

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.repairs.patching import add, replace

_JSON: Final = {"Content-Type": "application/json"}
_SCRATCH_2_STEPS: Final = 2400


def apply() -> None:
    """Add what moto's file systems lack."""
    add(EFSResponse, "update_file_system", _update_efs)
    add(EFSResponse, "put_backup_policy", _put_backup_policy)
    replace(EFSBackend, "describe_backup_policy", _describe_backup_policy)
    _lustre()


def _update_efs(self: EFSResponse) -> TYPE_RESPONSE:
    system = self.efs_backend.describe_file_systems(file_system_id=self._get_param("FileSystemId"))[
        1
    ][0]
    mode = self._get_param("ThroughputMode")
    if mode:
        system.throughput_mode = mode
    provisioned = self._get_param("ProvisionedThroughputInMibps")
    if provisioned:
        system.provisioned_throughput_in_mibps = provisioned
    return 202, dict(_JSON), json.dumps(system.info_json())


def _put_backup_policy(self: EFSResponse) -> TYPE_RESPONSE:
    key, policy = self._get_param("FileSystemId"), self._get_param("BackupPolicy")
    _efs(self.efs_backend, key).__dict__["_backup"] = policy["Status"] == "ENABLED"
    _efs(self.efs_backend, key).__dict__["_backup_said"] = True
    return 200, dict(_JSON), json.dumps({"BackupPolicy": policy})


def _describe_backup_policy(self: EFSBackend, file_system_id: str) -> dict[str, str]:
    system = _efs(self, file_system_id)
    if not system.__dict__.get("_backup") and not system.__dict__.get("_backup_said"):
        raise JsonRESTError("PolicyNotFound", "The backup policy does not exist.")
    return {"Status": "ENABLED" if system.__dict__.get("_backup") else "DISABLED"}


def _efs(backend: EFSBackend, key: str) -> FileSystem:
    system = backend.file_systems_by_id.get(key)
    if system is None:
        error = JsonRESTError("FileSystemNotFound", f"File system '{key}' does not exist.")
        error.code = 404
        raise error
    return system


def _lustre() -> None:
    create, delete = FSxBackend.create_file_system, FSxBackend.delete_file_system
    describe, shown = FSxBackend.describe_file_systems, LustreFileSystem.to_dict

    def create_one(self: FSxBackend, **kwargs: Any) -> LustreFileSystem:  # noqa: ANN401
        _check_size(kwargs)
        system = create(self, **kwargs)
        _connect(self.region_name, system)
        return system

    def delete_one(self: FSxBackend, file_system_id: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        system = self.file_systems.get(file_system_id)
        answer = delete(self, file_system_id, *args, **kwargs)
        if system is not None:
            enis = ec2_backends[DEFAULT_ACCOUNT_ID][self.region_name].enis
            for eni in system.__dict__.get("sandbox_interfaces", []):
                enis.pop(eni, None)
        return answer

    def describe_some(self: FSxBackend, **kwargs: Any) -> Any:  # noqa: ANN401
        for key in kwargs.get("file_system_ids") or []:
            if key not in self.file_systems:
                raise AwsError("FileSystemNotFound", f"File system '{key}' does not exist.")
        return describe(self, **kwargs)

    def show(self: LustreFileSystem) -> dict[str, Any]:
        return shown(self) | _details(self)

    replace(FSxBackend, "create_file_system", create_one)
    replace(FSxBackend, "delete_file_system", delete_one)
    replace(FSxBackend, "describe_file_systems", describe_some)
    replace(LustreFileSystem, "to_dict", show)
    add(FSxResponse, "update_file_system", _update_lustre)


def _check_size(given: dict[str, Any]) -> None:
    lustre, size = given.get("lustre_configuration") or {}, given.get("storage_capacity")
    scratch = str(lustre.get("DeploymentType", "SCRATCH_1")) == "SCRATCH_2"
    if scratch and size and size != 1200 and size % _SCRATCH_2_STEPS:  # noqa: PLR2004
        raise AwsError(
            "BadRequest",
            f"Invalid StorageCapacity: {size}. SCRATCH_2 file systems have 1200 GiB or a multiple "
            "of 2400 GiB.",
        )


def _connect(region: str, system: LustreFileSystem) -> None:
    backend = ec2_backends[DEFAULT_ACCOUNT_ID][region]
    eni = backend.create_network_interface(
        backend.get_subnet(system.subnet_ids[0]),
        [],
        group_ids=system.security_group_ids or [],
        description=f"Created by Amazon FSx: {system.file_system_id}",
    )
    eni.status, eni.requester_managed = "in-use", True
    system.__dict__.update(
        sandbox_interfaces=[eni.id],
        sandbox_vpc=eni.vpc_id,
        sandbox_created=time.time(),
        sandbox_mount=system.file_system_id[-8:],
    )


def _details(system: LustreFileSystem) -> dict[str, Any]:
    kept = system.__dict__
    lustre = {
        "DeploymentType": "SCRATCH_1",
        "MountName": kept.get("sandbox_mount"),
        "DataCompressionType": "NONE",
        "WeeklyMaintenanceStartTime": "1:00:00",
    } | (system.lustre_configuration or {})
    return {
        "Lifecycle": "AVAILABLE",
        "OwnerId": DEFAULT_ACCOUNT_ID,
        "VpcId": kept.get("sandbox_vpc"),
        "CreationTime": kept.get("sandbox_created"),
        "NetworkInterfaceIds": kept.get("sandbox_interfaces", []),
        "StorageType": system.storage_type or "SSD",
        "FileSystemTypeVersion": "2.15",
        "LustreConfiguration": lustre,
    }


def _update_lustre(self: FSxResponse) -> str:
    params = json.loads(self.body)
    system = self.fsx_backend.file_systems.get(params["FileSystemId"])
    if system is None:
        raise AwsError("FileSystemNotFound", f"{params['FileSystemId']} does not exist.")
    size = params.get("StorageCapacity")
    if size:
        _check_size({"lustre_configuration": system.lustre_configuration, "storage_capacity": size})
        if size < system.storage_capacity:
            raise AwsError("BadRequest", "StorageCapacity can only be increased.")
        system.storage_capacity = size
    system.lustre_configuration = (system.lustre_configuration or {}) | (
        params.get("LustreConfiguration") or {}
    )
    return json.dumps({"FileSystem": system.to_dict()})
