"""The error that our parts answer with."""

from moto.core.exceptions import ServiceException


class AwsError(ServiceException):
    """An error of a service, with its code and words.

    A class of ours, for moto looks for an error's service by the module of its class.
    """
