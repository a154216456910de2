"""Resolve mode and names of W&B from config, environment and login; imports no wandb."""

from __future__ import annotations

import netrc
import os
from dataclasses import replace
from typing import Any
from urllib.parse import urlparse

from gan_lightning.config.schema import LogConfig
from gan_lightning.errors import UserError, nearest_first

__all__ = ["has_login", "server_url", "sweep_run_id", "wandb_mode", "with_variables"]

MODES = {
    "online": "online",
    "offline": "offline",
    "disabled": "disabled",
    "shared": "shared",
    "dryrun": "offline",
    "run": "online",
}
"""Value of WANDB_MODE -> mode; the last two are those of early versions of W&B."""

SWITCHES = {"": False, "false": False, "0": False, "no": False, "off": False}
SWITCHES |= {"true": True, "1": True, "yes": True, "on": True}

VARIABLES = {
    "project": "WANDB_PROJECT",
    "entity": "WANDB_ENTITY",
    "name": "WANDB_NAME",
    "group": "WANDB_RUN_GROUP",
    "job_type": "WANDB_JOB_TYPE",
    "notes": "WANDB_NOTES",
}
"""Key of `log` -> variable that is used where the key is null."""


def wandb_mode(config: LogConfig) -> str:
    """Resolve `auto` to the mode of the environment, else to `online` with a login or `offline`.

    Raises:
        UserError: WANDB_MODE or WANDB_DISABLED has a value that W&B does not know.
    """
    if config.wandb == "disabled":
        return config.wandb
    mode = _variable("WANDB_MODE", MODES)
    is_disabled = SWITCHES[_variable("WANDB_DISABLED", SWITCHES)]
    if config.wandb != "auto":
        return config.wandb
    if is_disabled:
        return "disabled"
    return MODES[mode] if mode else "online" if has_login() else "offline"


def with_variables(config: LogConfig) -> LogConfig:
    """Fill the keys that are null, or without tags, from the variables of W&B.

    Raises:
        UserError: W&B refuses a value.
    """
    values: dict[str, Any] = {
        key: value
        for key, variable in VARIABLES.items()
        if getattr(config, key) is None and (value := os.environ.get(variable))
    }
    tags = [tag.strip() for tag in os.environ.get("WANDB_TAGS", "").split(",")]
    if any(tags) and not config.tags:
        values["tags"] = [tag for tag in tags if tag]
    filled = replace(config, **values)
    try:
        filled.validate()
    except ValueError as error:
        names = ", ".join(VARIABLES.get(key, "WANDB_TAGS") for key in values)
        raise UserError(f"log.{error}; it comes from the environment: correct {names}") from error
    return filled


def server_url() -> str:
    """Return the address of the W&B server in use."""
    return os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai"


def _variable(name: str, valid: dict[str, Any]) -> str:
    """Return an environment variable in lower case, empty if it is not set.

    Raises:
        UserError: it has none of the valid values.
    """
    value = os.environ.get(name, "").strip().lower()
    if value and value not in valid:
        shown = nearest_first(value, filter(None, valid))
        raise UserError(
            f"the environment variable {name} is {os.environ[name]!r}; valid are {shown}; correct "
            f"it, or set log.wandb=disabled"
        )
    return value


def has_login() -> bool:
    """Tell whether there is an API key for the W&B server in use."""
    return bool(os.environ.get("WANDB_API_KEY")) or _has_netrc_login()


def sweep_run_id() -> str | None:
    """Return the id that a W&B sweep's agent has assigned to this run, or None."""
    return os.environ.get("WANDB_RUN_ID") if os.environ.get("WANDB_SWEEP_ID") else None


def _has_netrc_login() -> bool:
    """Tell whether ~/.netrc has a login for the W&B server in use."""
    hosts = ["api.wandb.ai", "wandb.ai"]
    if url := os.environ.get("WANDB_BASE_URL"):
        hosts = [urlparse(url).hostname or ""]
    try:
        logins = netrc.netrc(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
        return False
    return any(host in logins.hosts for host in hosts)
