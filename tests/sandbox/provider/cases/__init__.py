"""The resource types, each with its inputs and what they come to in AWS."""
