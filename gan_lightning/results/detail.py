"""Metrics of single values and single codes, which tables of all metrics leave out."""

from __future__ import annotations

import re

__all__ = ["is_detail"]

DETAILS = re.compile(r"attribute/[^/]+/[^/]+/accuracy|code\d+/information/.+")


def is_detail(metric: str) -> bool:
    """Return whether a metric is of one value of an attribute, or of one of several codes.

    Runs have dozens of them, and reports have tables of their own for them.
    """
    return DETAILS.fullmatch(metric) is not None
