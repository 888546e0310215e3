"""NAT gateways that take a moment, hold an interface and an address, and let go of them."""

from typing import Any, Final

from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
from moto.ec2.models.nat_gateways import NatGateway, NatGatewayBackend

from sandbox.aws.server.failure import AwsError
from sandbox.aws.server.repairs.patching import replace
from sandbox.aws.server.world import WORLD

# Real seconds; on AWS it is minutes.
CHANGE_SECONDS: Final = 0.2


def apply() -> None:
    """Repair NAT gateways and the release of their addresses."""
    _create()
    _delete()
    _release()


def _create() -> None:
    original_init = NatGateway.__init__
    original = NatGatewayBackend.create_nat_gateway

    def init(self: NatGateway, backend: EC2Backend, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        original_init(self, backend, *args, **kwargs)
        eni = self._eni
        # moto gives it an address from anywhere.
        address = eni.subnet.get_available_subnet_ip(self)
        eni.private_ip_address = self.private_ip = address
        eni.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": address}]
        eni.description = f"Interface for NAT Gateway {self.id}"
        eni.interface_type = "nat_gateway"
        eni.status = "in-use"
        eni.requester_managed = True
        eni._group_set = []  # noqa: SLF001

    def create(self: EC2Backend, *args: Any, **kwargs: Any) -> NatGateway:  # noqa: ANN401
        gateway = original(self, *args, **kwargs)
        gateway.state = "pending"

        def over() -> None:
            if gateway.state == "pending":
                gateway.state = "available"

        WORLD.clock.soon(CHANGE_SECONDS, over)
        return gateway

    replace(NatGateway, "__init__", init)
    replace(NatGatewayBackend, "create_nat_gateway", create)


def _delete() -> None:
    def delete(self: EC2Backend, nat_gateway_id: str) -> NatGateway:
        gateway = self.nat_gateways.get(nat_gateway_id)
        if gateway is None:
            raise AwsError("NatGatewayNotFound", f"The Nat Gateway {nat_gateway_id} was not found")
        if gateway.state in {"deleting", "deleted"}:
            return gateway
        gateway.state = "deleting"

        def over() -> None:
            gateway.state = "deleted"
            eni = gateway._eni  # noqa: SLF001
            for address in self.addresses:
                if address.eni is eni:
                    self.disassociate_address(association_id=address.association_id)
            self.enis.pop(eni.id, None)
            eni.subnet.del_subnet_ip(gateway.private_ip)

        WORLD.clock.soon(CHANGE_SECONDS, over)
        return gateway

    replace(NatGatewayBackend, "delete_nat_gateway", delete)


def _release() -> None:
    original = ElasticAddressBackend.release_address

    def release(
        self: EC2Backend, address: str | None = None, allocation_id: str | None = None
    ) -> None:
        for one in self.addresses:
            named = allocation_id == one.allocation_id or address == one.public_ip
            if named and one.association_id:
                raise AwsError("InvalidIPAddress.InUse", f"Address {one.public_ip} is in use.")
        original(self, address, allocation_id)

    replace(ElasticAddressBackend, "release_address", release)
