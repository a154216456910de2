"""The way to a W&B server: a login, and its errors in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gan_lightning.config.wandb_mode import has_login
from gan_lightning.errors import UserError

if TYPE_CHECKING:
    import wandb

__all__ = ["check_login", "logged_in"]


def check_login() -> None:
    """Check that W&B would not ask for a key.

    Raises:
        UserError: it would.
    """
    if not has_login():
        raise UserError(
            "there is no login for Weights & Biases; run `wandb login`, or set WANDB_API_KEY "
            "(and WANDB_BASE_URL for a server of your own)"
        )


@contextmanager
def logged_in(entity: str | None, project: str) -> Iterator[tuple[wandb.Api, str]]:
    """Give W&B's API and the entity in use inside the block.

    Args:
        entity: user or team; None for that of the login.
        project: for what is said of an error.

    Raises:
        UserError: there is no login, or the server refuses it or what is asked.
    """
    check_login()
    import wandb

    wandb.setup(wandb.Settings(silent=True))
    try:
        api = wandb.Api()
        yield api, entity or api.default_entity or ""
    except Exception as error:  # raised again unless it is the client's
        if not type(error).__module__.startswith(("wandb", "requests")):
            raise
        said = " ".join(str(error).split()) or type(error).__name__
        where = "/".join(part for part in (entity, project) if part)
        raise UserError(
            f"W&B refused {where}: {said}; look at WANDB_API_KEY, WANDB_BASE_URL, --entity and "
            f"--project"
        ) from error
