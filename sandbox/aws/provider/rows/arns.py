"""ARNs that the services themselves do not give."""


def ec2_arn(rest: str) -> str:
    """A template for the ARN of an EC2 resource."""
    return "arn:{partition}:ec2:{region}:{account}:" + rest
