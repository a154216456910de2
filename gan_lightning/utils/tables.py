"""Format rows of text as a table, plain or in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["markdown_table", "text_table"]


def text_table(rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Return rows of equal length as text with aligned columns; the first row is the header.

    Args:
        rows: the cells.
        width: number of characters after which a line is cut; None for any.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(
        line if width is None or len(line) <= width else f"{line[: max(0, width - 1)].rstrip()}…"
        for line in lines
    )


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of equal length as a Markdown table; the first row is the header."""
    header, *body = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
