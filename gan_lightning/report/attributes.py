"""Tables that say in words which attributes were requested of images, and which the codes found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from gan_lightning.report.run_data import RunSummary

__all__ = ["CodeTable", "RequestedRow", "RequestedTable", "code_tables", "requested_table"]

ACCURACY = re.compile(r"attribute/(?P<attribute>[^/]+)(/(?P<value>[^/]+))?/accuracy")
INFORMATION = re.compile(r"code(?P<number>\d*)/information/(?P<attribute>.+)")
GAP = "code/mutual_information_gap"
ANY_CODE = ""
"""Number of the code in the key of the largest information of all codes."""


@dataclass(frozen=True)
class RequestedRow:
    """What was requested of images, and how often it was read.

    Attributes:
        attribute: in words, for example hair colour.
        value: the requested value in words; empty for all values.
        shares: share of images in which it was read, of each run of the table; None where it was
            not measured.
    """

    attribute: str
    value: str
    shares: tuple[float | None, ...]

    @property
    def label(self) -> str:
        """Attribute and value, as the first column of the table says them."""
        return f"{self.attribute}: {self.value}" if self.value else self.attribute


@dataclass(frozen=True)
class RequestedTable:
    """The requested attributes of all runs that have any.

    Attributes:
        runs: indices of the runs.
        rows: a row per attribute, each before the rows of its values.
    """

    runs: tuple[int, ...]
    rows: list[RequestedRow]


@dataclass(frozen=True)
class CodeTable:
    """What the codes of one run tell about the attributes of its images.

    Attributes:
        run: index of the run.
        gap: mutual information gap; None where it was not measured.
        codes: names of the codes, as in pictures of traversals.
        rows: attribute -> share of its entropy that each code tells, in [0, 1]; None where it was
            not measured.
    """

    run: int
    gap: float | None
    codes: tuple[str, ...]
    rows: dict[str, tuple[float | None, ...]]

    def told(self, code: int) -> list[tuple[str, float]]:
        """Return the attributes with what a code tells about them, the most first."""
        shares = [
            (name, share) for name, row in self.rows.items() if (share := row[code]) is not None
        ]
        return sorted(shares, key=lambda pair: -pair[1])


def requested_table(runs: Sequence[RunSummary]) -> RequestedTable | None:
    """Return the table of requested attributes; None if no run has any.

    Data whose attributes no classifier reads one by one have a row for all of them at once.
    """
    every = {index: _requested(run) for index, run in enumerate(runs)}
    shown = tuple(index for index, shares in every.items() if shares)
    found = [every[index] for index in shown]
    keys = dict.fromkeys(key for shares in found for key in shares)
    attributes = list(dict.fromkeys(attribute for attribute, _ in keys))
    ordered = sorted(keys, key=lambda key: (attributes.index(key[0]), key[1] != ""))
    rows = [
        RequestedRow(_in_words(key[0]), _in_words(key[1]), tuple(s.get(key) for s in found))
        for key in ordered
    ]
    return RequestedTable(shown, rows) if rows else None


def _requested(run: RunSummary) -> dict[tuple[str, str], float]:
    """Return the shares of a run by attribute and value; an empty value means all values."""
    shares = {
        (match["attribute"], match["value"] or ""): value
        for name, value in run.measures.items()
        if isfinite(value) and (match := ACCURACY.fullmatch(name))
    }
    attributes = (run.config.get("data") or {}).get("attributes")
    if not shares and attributes and "class/accuracy" in run.measures:
        return {(" and ".join(attributes), ""): run.measures["class/accuracy"]}
    return shares


def code_tables(runs: Sequence[RunSummary]) -> list[CodeTable]:
    """Return a table per run whose codes were compared with attributes."""
    tables = [_code_table(index, run) for index, run in enumerate(runs)]
    return [table for table in tables if table.rows]


def _code_table(index: int, run: RunSummary) -> CodeTable:
    found: dict[str, dict[str, float]] = {}
    for name, value in run.measures.items():
        if isfinite(value) and (match := INFORMATION.fullmatch(name)):
            found.setdefault(match["number"], {})[match["attribute"]] = value
    best = found.pop(ANY_CODE, {})
    names = tuple(f"c{number}" for number in found)
    if not found:  # a single code, or a run of a version that did not measure each code
        found, names = {ANY_CODE: best}, ("c1" if _num_codes(run) == 1 else "best code",)
    rows = {
        _in_words(attribute): tuple(shares.get(attribute) for shares in found.values())
        for attribute in best
    }
    return CodeTable(index, run.measures.get(GAP), names, rows)


def _num_codes(run: RunSummary) -> int:
    model = run.config.get("model") or {}
    return len(model.get("categorical_codes") or ()) + int(model.get("continuous_codes") or 0)


def _in_words(name: str) -> str:
    return name.replace("_", " ")
