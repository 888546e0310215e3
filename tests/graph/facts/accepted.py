"""What the public rules flag in our stacks and we leave as it is, each with its reason."""

from __future__ import annotations

from tests.graph.facts.fact import Accepted

ACCEPTED = (
    Accepted(
        "CKV_AWS_189",
        ":LaunchTemplate",
        "The account's own EBS key encrypts. A key of the customer costs, needs rights for the "
        "service role of Auto Scaling, and a fleet that may not use it launches nothing.",
    ),
    Accepted(
        "CKV_AWS_184 CKV_AWS_190 CKV_AWS_149 CKV_AWS_158",
        ":FileSystem|:LustreFileSystem|secret:Secret|:LogGroup",
        "AWS's own key of each service encrypts. Who may read is said by the roles; a key of the "
        "customer would add a policy to keep and a month of waiting at a destroy.",
    ),
    Accepted(
        "CKV_AWS_26 CKV_AWS_337",
        "topic:Topic|parameter:Parameter",
        "No secret goes through them: names of alarms, counts and the last lines of a boot. With "
        "AWS's own key CloudWatch cannot publish to a topic.",
    ),
    Accepted(
        "CKV_AWS_338",
        ":LogGroup",
        "The logs are for finding faults in running work, and nobody is audited by them: 30 days.",
    ),
    Accepted(
        "CKV2_AWS_11 vpc_flow_logs_enabled CIS_4.7",
        ":Vpc",
        "Flow logs cost by the gigabyte of traffic that they describe, and workers make much: "
        "`flowLogs: true` in the stack file, as staging and prod have it.",
    ),
    Accepted(
        "CKV_AWS_21",
        "s3/bucket:Bucket",
        "Each object is named by its hash: another content is another object.",
    ),
    Accepted(
        "CKV_AWS_18",
        "s3/bucket:Bucket",
        "It holds copies of a public checkout, and a bucket for its logs would need one itself.",
    ),
    Accepted(
        "CKV_AWS_145",
        "s3/bucket:Bucket",
        "S3 encrypts every object by itself since 2023, and a host checks the hash.",
    ),
    Accepted(
        "autoscaling_group_multiple_az",
        "autoscaling/group:Group",
        "Traffic between zones costs, and a placement group or EFA is in one: `vpc.zones` says how "
        "many; staging and prod have several.",
    ),
    Accepted(
        "autoscaling_group_multiple_instance_types",
        "autoscaling/group:Group",
        "There is one scheduler, of the type that the stack file names; EFA, reservations and "
        "placement groups are for one type. Staging and prod name several for their workers.",
    ),
    Accepted(
        "autoscaling_group_capacity_rebalance_enabled",
        "autoscaling/group:Group",
        "It would end machines that only might be taken back. Each drains when it really is.",
    ),
)
