"""Connection to a W&B server: login check, and its errors in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gan_lightning.config.wandb_mode import has_login
from gan_lightning.errors import UserError

if TYPE_CHECKING:
    import wandb

__all__ = ["check_login", "wandb_api"]


def check_login() -> None:
    """Check that there is a login for W&B.

    Raises:
        UserError: there is none.
    """
    if not has_login():
        raise UserError(
            "there is no login for Weights & Biases; run `wandb login`, or set WANDB_API_KEY "
            "(and WANDB_BASE_URL for your own server)"
        )


@contextmanager
def wandb_api(entity: str | None, project: str) -> Iterator[tuple[wandb.Api, str]]:
    """Yield W&B's client and the entity, and turn its errors into one line.

    Args:
        entity: user or team; None for the login's default.
        project: project that error messages name.

    Raises:
        UserError: there is no login, or the server refuses it or a request.
    """
    check_login()
    import wandb

    wandb.setup(wandb.Settings(silent=True))
    try:
        api = wandb.Api()
        yield api, entity or api.default_entity or ""
    except Exception as error:  # raised again unless it comes from the client
        if not type(error).__module__.startswith(("wandb", "requests")):
            raise
        message = " ".join(str(error).split()) or type(error).__name__
        address = "/".join(part for part in (entity, project) if part)
        raise UserError(
            f"W&B refused {address}: {message}; check WANDB_API_KEY, WANDB_BASE_URL, --entity and "
            f"--project"
        ) from error
