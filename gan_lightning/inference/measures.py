"""Metrics of a model, as a dictionary that prints as a table."""

from __future__ import annotations

from html import escape

__all__ = ["Measures"]


class Measures(dict[str, float]):
    """Metric name -> value; printed as one metric a line, in a notebook as a table."""

    def __repr__(self) -> str:
        """Return a line for each metric, as `gan-lightning evaluate` prints it."""
        return "\n".join(f"  {name:<26} {value:>9.4f}" for name, value in self.items())

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{value:.4f}</td></tr>" for name, value in self.items()
        )
        return f"<table>{rows}</table>"
