"""Resolve the mode of W&B from the config, the environment and the login; imports no wandb."""

from __future__ import annotations

import netrc
import os
from urllib.parse import urlparse

from gan_lightning.config.schema import LogConfig

__all__ = ["has_login", "sweep_run_id", "wandb_mode"]


def wandb_mode(config: LogConfig) -> str:
    """Resolve `auto` to WANDB_MODE if it is set, else to `online` with a login or `offline`."""
    if config.wandb != "auto":
        return config.wandb
    if mode := os.environ.get("WANDB_MODE"):
        return mode
    return "online" if has_login() else "offline"


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
