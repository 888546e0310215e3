"""The table: one row for each resource type of pulumi-aws that the plugin knows."""

from typing import Final

from sandbox.aws.provider.rows import (
    autoscaling,
    buckets,
    budgets,
    dns,
    endpoints,
    files,
    firewall,
    gateways,
    iam,
    launch_templates,
    lustre,
    network,
    objects,
    policies,
    records,
    routes,
    rules,
    secrets,
    topics,
    watch,
)
from sandbox.aws.provider.table import Row

ROWS: Final[dict[str, Row]] = {
    token: row
    for module in (
        network,
        gateways,
        routes,
        firewall,
        rules,
        endpoints,
        launch_templates,
        autoscaling,
        iam,
        policies,
        secrets,
        buckets,
        objects,
        files,
        lustre,
        watch,
        topics,
        budgets,
        dns,
        records,
    )
    for token, row in module.ROWS.items()
}
