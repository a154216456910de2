"""Mean and standard deviation of a metric over seeds, and their text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

__all__ = ["format_mean_sd", "format_number", "mean", "standard_deviation"]


def mean(values: Sequence[float]) -> float:
    """Compute the mean; NaN for no values or where a value is not finite."""
    return fmean(values) if values and all(map(math.isfinite, values)) else math.nan


def standard_deviation(values: Sequence[float]) -> float:
    """Estimate the standard deviation with n - 1; NaN for less than two finite values."""
    return stdev(values) if len(values) > 1 and math.isfinite(mean(values)) else math.nan


def format_number(value: float) -> str:
    """Format a value with four significant digits; `none` where it is not finite."""
    return f"{value:.4g}" if math.isfinite(value) else "none"


def format_mean_sd(values: Sequence[float]) -> str:
    """Format values as mean ± standard deviation, or as the mean alone where there is one value."""
    deviation = standard_deviation(values)
    if not math.isfinite(deviation):
        return format_number(mean(values))
    # two significant digits, but 130 instead of 1.3e+02
    return f"{format_number(mean(values))} ± {float(f'{deviation:.2g}'):g}"
