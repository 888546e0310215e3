"""What a network refuses to delete, as long as something still needs it."""

from collections.abc import Iterator

from moto.core.exceptions import ServiceException
from moto.ec2.models import EC2Backend
from moto.ec2.models.internet_gateways import InternetGatewayBackend
from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupBackend
from moto.ec2.models.subnets import Subnet, SubnetBackend
from moto.ec2.models.vpcs import VPC, VPCBackend

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.repairs.patching import replace


def apply() -> None:
    """Repair deletes of security groups, subnets, internet gateways and VPCs."""
    _security_groups()
    _subnets()
    _internet_gateways()
    _endpoints()
    _vpcs()


def violation(message: str) -> AwsError:
    """Return EC2's error for something that is still in use."""
    return AwsError("DependencyViolation", message)


def _security_groups() -> None:
    original = SecurityGroupBackend.delete_security_group

    def delete(self: EC2Backend, name: str | None = None, group_id: str | None = None) -> None:
        group = self.get_security_group_from_id(group_id) if group_id else None
        if group is not None:
            _check_group(self, group)
        original(self, name, group_id)

    replace(SecurityGroupBackend, "delete_security_group", delete)


def _check_group(backend: EC2Backend, group: SecurityGroup) -> None:
    if group.name == "default":
        raise AwsError(
            "CannotDelete",
            f'the specified group: "{group.id}" name: "default" cannot be deleted by a user',
        )
    used = any(group in eni.group_set for eni in backend.enis.values())
    if used or group.id in _references(backend, group):
        raise violation(f"resource {group.id} has a dependent object")


def _references(backend: EC2Backend, group: SecurityGroup) -> Iterator[str]:
    """Yield the groups that the rules of other groups name; a group may name itself."""
    for other in backend.groups[str(group.vpc_id)].values():
        if other is not group:
            for rule in [*other.ingress_rules, *other.egress_rules]:
                yield str(rule.source_group.get("GroupId"))


def _subnets() -> None:
    original = SubnetBackend.delete_subnet

    def delete(self: EC2Backend, subnet_id: str) -> Subnet:
        if any(eni.subnet.id == subnet_id for eni in self.enis.values()):
            raise violation(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
        deleted = original(self, subnet_id)
        for table in self.route_tables.values():
            for key, subnet in list(table._associations.items()):  # noqa: SLF001
                if subnet == subnet_id:
                    del table._associations[key]  # noqa: SLF001
        return deleted

    replace(SubnetBackend, "delete_subnet", delete)


def _internet_gateways() -> None:
    original = InternetGatewayBackend.detach_internet_gateway

    def detach(self: EC2Backend, internet_gateway_id: str, vpc_id: str) -> None:
        if any(eni.public_ip and eni.vpc_id == vpc_id for eni in self.enis.values()):
            raise violation(
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public "
                "address(es) before detaching the gateway."
            )
        original(self, internet_gateway_id, vpc_id)

    replace(InternetGatewayBackend, "detach_internet_gateway", detach)


def _endpoints() -> None:
    """Those that moto fails to delete: of no kind, which is a gateway, and after their tables."""
    original = VPCBackend.delete_vpc_endpoints

    def delete(self: EC2Backend, vpce_ids: list[str] | None = None) -> None:
        for key in vpce_ids or []:
            end = self.vpc_end_points.get(key)
            if end is not None and end.vpc_endpoint_type is None:
                end.vpc_endpoint_type = "Gateway"
            if end is not None:
                # A table that went first has taken the endpoint's route with it.
                tables = [each for each in end.route_table_ids or [] if each in self.route_tables]
                end.route_table_ids = tables
        original(self, vpce_ids)

    replace(VPCBackend, "delete_vpc_endpoints", delete)


def _vpcs() -> None:
    original = VPCBackend.delete_vpc

    def delete(self: EC2Backend, vpc_id: str) -> VPC:
        # An unknown one is refused first.
        self.get_vpc(vpc_id)
        groups = [one for one in self.groups[vpc_id].values() if one.name != "default"]
        attached = [getattr(one.vpc, "id", None) for one in self.internet_gateways.values()]
        ends = [
            one
            for one in self.vpc_end_points.values()
            if one.vpc_id == vpc_id and one.state != "deleted"
        ]
        tables = [one for one in self.route_tables.values() if one.vpc_id == vpc_id]
        subnets = [one for one in self.describe_subnets() if one.vpc_id == vpc_id]
        if groups or vpc_id in attached or ends or subnets or len(tables) > 1:
            raise violation(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
        default = self.groups.pop(vpc_id, None)
        try:
            deleted = original(self, vpc_id)
        except ServiceException:
            if default is not None:
                self.groups[vpc_id] = default
            raise
        for key, acl in list(self.network_acls.items()):
            if acl.vpc_id == vpc_id:
                del self.network_acls[key]
        return deleted

    replace(VPCBackend, "delete_vpc", delete)
