"""Config of the update rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gan_lightning.utils.settings import setting

__all__ = ["UpdateRuleConfig"]


def _names() -> Iterable[str]:
    """Return the names of the table, which imports this module."""
    from gan_lightning.gans.update_rules import UPDATE_RULES

    return UPDATE_RULES


@dataclass
class UpdateRuleConfig:
    """How both players step at the end of a round; the default is in turn, as everywhere."""

    name: str = setting(
        "alternating",
        "Rule by which both players step on the last minibatch of a round.",
        choices=_names,
    )
    weight: float = setting(
        1.0,
        "gamma of consensus, lambda of symplectic: weight of what the rule adds to both gradients.",
        above=0,
    )
    align: bool = setting(
        False,
        "Whether symplectic chooses the sign of what it adds so that stable fixed points attract "
        "and unstable ones repel.",
    )
    lookahead_updates: int = setting(
        5, "k of lookahead: generator updates after which the fast weights are put back.", minimum=1
    )
    lookahead_rate: float = setting(
        0.5,
        "alpha of lookahead: share of the way from the slow to the fast weights that both are put "
        "at.",
        above=0,
        maximum=1,
    )
