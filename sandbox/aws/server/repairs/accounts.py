"""What an account has from its start is remembered, so that a listing can leave it out."""

from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_block_store import EBSBackend

from sandbox.aws.server.repairs.patching import replace
from sandbox.aws.server.world import WORLD


def apply() -> None:
    """Note the default network of each region when moto makes it."""
    original = EC2Backend.__init__

    def init(self: Any, region_name: str, account_id: str) -> None:  # noqa: ANN401
        original(self, region_name, account_id)
        ids = [*self.vpcs, *self.route_tables, *self.network_acls, *self.dhcp_options_sets]
        ids += [key for subnets in self.subnets.values() for key in subnets]
        ids += [key for by_vpc in self.groups.values() for key in by_vpc]
        ids += list(self.internet_gateways)
        WORLD.baseline.update(("ec2", key) for key in ids)

    key = EBSBackend._create_default_encryption_key  # noqa: SLF001

    def create_key(self: Any) -> None:  # noqa: ANN401
        key(self)
        # The key `aws/ebs` is AWS's own, and stays once it was needed.
        WORLD.baseline.add(("kms", str(self.default_kms_key_id).rpartition("/")[2]))

    replace(EC2Backend, "__init__", init)
    replace(EBSBackend, "_create_default_encryption_key", create_key)
