"""Update rules: how both players step at the end of a round; the table of all of them."""

from __future__ import annotations

from gan_lightning.gans.update_rules.alternating import Alternating
from gan_lightning.gans.update_rules.base import BothTerms, UpdateRule
from gan_lightning.gans.update_rules.config import UpdateRuleConfig
from gan_lightning.gans.update_rules.joint import Extragradient, Optimistic, Simultaneous
from gan_lightning.gans.update_rules.lookahead import Lookahead
from gan_lightning.gans.update_rules.second_order import Consensus, Symplectic

UPDATE_RULES: dict[str, type[UpdateRule]] = {
    "alternating": Alternating,
    "simultaneous": Simultaneous,
    "extragradient": Extragradient,
    "optimistic": Optimistic,
    "lookahead": Lookahead,
    "consensus": Consensus,
    "symplectic": Symplectic,
}
"""Name -> class of the rule; a rule of your own is one more entry."""

__all__ = [
    "UPDATE_RULES",
    "Alternating",
    "BothTerms",
    "Consensus",
    "Extragradient",
    "Lookahead",
    "Optimistic",
    "Simultaneous",
    "Symplectic",
    "UpdateRule",
    "UpdateRuleConfig",
]
