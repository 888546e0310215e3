"""The only reader of Pulumi's configuration: from the stack file to the settings."""

from __future__ import annotations

import pulumi
from pulumi.runtime.config import get_config_env, get_config_secret_keys_env

from components.settings import Settings, SettingsError, load


def load_settings() -> Settings:
    """Return the settings of the running stack.

    Raises:
        pulumi.RunError: With every error of the stack file; Pulumi shows it without a trace.
    """
    try:
        return load(
            get_config_env(),
            project=pulumi.get_project(),
            secret_keys=get_config_secret_keys_env(),
            source=f"Stack {pulumi.get_stack()}",
        )
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
