"""What a person reads of finished or unfinished runs: one HTML file, or a table on the screen."""

from __future__ import annotations

__all__: list[str] = []
