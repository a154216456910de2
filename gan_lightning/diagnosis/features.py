"""Numbers that describe a run without a unit, computed from what it has logged."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean, median, pstdev, pvariance

from gan_lightning.diagnosis.signals import UNDECIDED_LOSS, Series, Signals

__all__ = ["features"]

TAIL = 2 / 3
"""Share of a run after which its last third begins."""

TINY = 1e-12


def features(signals: Signals) -> dict[str, float]:
    """Return the features of a run by name, without those that it has not logged."""
    found = {
        **_distance(signals),
        **_samples(signals),
        **_discriminator(signals),
        **_losses(signals),
        **_gradients(signals),
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _mean(values: list[float]) -> float:
    return fmean(values) if values else math.nan


def _deviation(values: list[float]) -> float:
    return pstdev(values) if len(values) > 1 else math.nan


def _log_ratio(above: float, below: float) -> float:
    return math.log(above / below) if above > 0 and below > 0 else math.nan


def _line(xs: list[float], ys: list[float]) -> tuple[float, float]:
    """Return the slope of the line of least squares and the deviation from it."""
    if len(xs) < 3:
        return math.nan, math.nan
    x, y = fmean(xs), fmean(ys)
    slope = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum(
        (a - x) ** 2 for a in xs
    )
    return slope, pstdev([b - y - slope * (a - x) for a, b in zip(xs, ys, strict=True)])


def _distance(signals: Signals) -> dict[str, float]:
    name, series = signals.distance()
    if not series:
        return {}
    end, values = signals.end, series.values
    third = [_mean(series.between(end * k / 3, end * (k + 1) / 3)) for k in range(3)]
    quarter = [_mean(series.between(end * k / 4, end * (k + 1) / 4)) for k in range(4)]
    late = [
        (u / end, math.log(v))
        for u, v in zip(series.updates, values, strict=True)
        if u > 0.45 * end and v > 0
    ]
    slope, noise = _line([u for u, _ in late], [v for _, v in late])
    real = signals.real(name) or math.nan
    return {
        "distance/tail_to_real": _log_ratio(third[2], real),
        "distance/last_to_real": _log_ratio(values[-1], real),
        "distance/first_to_real": _log_ratio(values[0], real),
        "distance/least_to_real": _log_ratio(min(values), real),
        "distance/excess": (third[2] - real) / (max(values[0], values[-1]) - real)
        if values[0] > real
        else math.nan,
        "distance/last_to_first": _log_ratio(values[-1], values[0]),
        "distance/last_to_largest": _log_ratio(values[-1], max(values)),
        "distance/last_to_least": _log_ratio(values[-1], min(values)),
        "distance/tail_to_first": _log_ratio(third[2], values[0]),
        "distance/tail_to_least": _log_ratio(third[2], min(values)),
        "distance/fall_of_thirds": _log_ratio(third[1], third[2]),
        "distance/fall_over_real": (third[1] - third[2]) / real,
        "distance/late_fall_over_real": (quarter[2] - quarter[3]) / real,
        "distance/fall_of_excess": _log_ratio(third[1] - real, third[2] - real),
        "distance/late_fall_of_excess": _log_ratio(quarter[2] - real, quarter[3] - real),
        "distance/early_fall_of_excess": _log_ratio(third[0] - real, third[1] - real),
        "distance/fall_of_quarters": _log_ratio(quarter[2], quarter[3]),
        "distance/slope": -slope,
        "distance/noise": noise,
        "distance/slope_to_noise": -slope / (noise + 0.01),
        "distance/best_at": series.updates[values.index(min(values))] / end,
        "distance/constant": float(len(set(values[-3:])) == 1 and len(values) > 2),
    }


def _level(name: str, series: Series, end: int) -> dict[str, float]:
    tail = series.between(end * TAIL, end)
    before = series.between(end / 3, end * TAIL)
    if not tail:
        return {}
    return {
        name: _mean(tail),
        f"{name}_least": min(tail),
        f"{name}_largest": max(tail),
        f"{name}_last": tail[-1],
        f"{name}_deviation": _deviation(tail),
        f"{name}_rise": _mean(tail) - _mean(before),
        f"{name}_change": _mean([abs(a - b) for a, b in pairwise(tail)]),
    }


def _samples(signals: Signals) -> dict[str, float]:
    end = signals.end
    found: dict[str, float] = {}
    for measure in ("precision", "recall", "density", "coverage"):
        found |= _level(measure, signals.share(measure), end)
    _, uneven = signals.first(["modes/reverse_kl", "classes/kl", "modes/kl"])
    even = Series(uneven.updates, tuple(math.exp(-value) for value in uneven.values))
    found |= _level("evenness", even, end)
    found |= _level("quality", signals.series("modes/high_quality"), end)
    found |= _level("duplicates", signals.series("samples/duplicates"), end)
    _, covered = signals.first(["modes/covered", "classes/covered"])
    if covered and max(covered.values) > 0:
        most = max(covered.values)
        found["covered/to_most"] = _mean(covered.between(end * TAIL, end)) / most
    return found


def _discriminator(signals: Signals) -> dict[str, float]:
    end = signals.end
    found = _level("auc", signals.series("game/discriminator_auc/held_out"), end)
    trained = _level("trained_auc", signals.series("game/discriminator_auc/training"), end)
    if found and trained:
        found["auc/gap"] = trained["trained_auc"] - found["auc"]
        found["auc/gap_last"] = trained["trained_auc_last"] - found["auc_last"]
        found["trained_auc"] = trained["trained_auc"]
    found |= _level("divergence", signals.series("divergence/jensen_shannon"), end)
    return found


def _losses(signals: Signals) -> dict[str, float]:
    """Describe the course of both losses, in units of their mean size."""
    end = signals.end
    found: dict[str, float] = {}
    means: dict[str, float] = {}
    for player in ("discriminator", "generator"):
        series = signals.loss(player)
        values = list(series.values)
        if len(values) < 6:
            continue
        tail, first = series.between(end * TAIL, end), series.between(0, end / 3)
        late = values[len(values) // 2 :]
        centre, variance = fmean(late), pvariance(late)
        pairs = [(a - centre, b - centre) for a, b in pairwise(late)]
        size = fmean(map(abs, values))
        means[player] = _mean(tail)
        found |= {
            f"{player}_loss/deviation": _deviation(tail) / (size + TINY),
            f"{player}_loss/largest": _log_ratio(max(map(abs, values)), median(map(abs, values))),
            f"{player}_loss/rise": (_mean(tail) - _mean(first)) / (size + TINY),
            f"{player}_loss/correlation": fmean(a * b for a, b in pairs) / (variance + TINY),
            f"{player}_loss/crossings": fmean(a * b < 0 for a, b in pairs),
        }
    undecided = UNDECIDED_LOSS.get(signals.objective or "")
    if undecided and "discriminator" in means:
        found["discriminator_loss/level"] = means["discriminator"] / undecided
    return found


def _gradients(signals: Signals) -> dict[str, float]:
    end = signals.end
    found: dict[str, float] = {}
    for player in ("discriminator", "generator"):
        norms = signals.series(f"game/gradient_norm/{player}")
        tail = norms.between(end * TAIL, end)
        if tail:
            found[f"{player}_gradient/to_largest"] = _log_ratio(_mean(tail), max(norms.values))
        cosines = signals.series(f"game/step_cosine/{player}").between(end * TAIL, end)
        if cosines:
            found[f"{player}_cosine"] = _mean(cosines)
    return found
