"""Whether runs go to a W&B server, without asking it; light enough for a command's first line."""

from __future__ import annotations

import netrc
import os
from urllib.parse import urlparse

from gan_lightning.config.schema import LogConfig

__all__ = ["has_login", "identity_given", "wandb_mode"]


def wandb_mode(config: LogConfig) -> str:
    """Resolve `auto`: WANDB_MODE where it is set, online with a login, else offline."""
    if config.wandb != "auto":
        return config.wandb
    if mode := os.environ.get("WANDB_MODE"):
        return mode
    return "online" if has_login() else "offline"


def has_login() -> bool:
    """Tell whether W&B has a key for the server in use, and need not ask for one."""
    return bool(os.environ.get("WANDB_API_KEY")) or _has_netrc_login()


def identity_given() -> str | None:
    """Return the id under which a sweep's agent expects the run that it starts, or None."""
    return os.environ.get("WANDB_RUN_ID") if os.environ.get("WANDB_SWEEP_ID") else None


def _has_netrc_login() -> bool:
    """Tell whether ~/.netrc knows the W&B server in use."""
    hosts = ["api.wandb.ai", "wandb.ai"]
    if url := os.environ.get("WANDB_BASE_URL"):
        hosts = [urlparse(url).hostname or ""]
    try:
        logins = netrc.netrc(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
        return False
    return any(host in logins.hosts for host in hosts)
