"""One sentence for each property that a class does not have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["describing", "require"]


def require(condition: bool, owner: type, sentence: str) -> None:
    """Raise an AssertionError that names the class, unless the condition holds.

    Args:
        condition: whether the class has the property.
        owner: the class that is checked.
        sentence: what is wrong, and the fix where there is one.
    """
    if not condition:
        raise AssertionError(f"{owner.__name__}: {sentence}")


@contextmanager
def describing(owner: type, activity: str) -> Iterator[None]:
    """Turn an error inside the block into an AssertionError that names class and activity.

    Args:
        owner: the class that is checked.
        activity: what is done in the block, for example `resuming`.
    """
    try:
        yield
    except AssertionError as error:
        if str(error).startswith(f"{owner.__name__}: "):
            raise
        raise AssertionError(_sentence(owner, activity, error)) from error
    except Exception as error:
        raise AssertionError(_sentence(owner, activity, error)) from error


def _sentence(owner: type, activity: str, error: Exception) -> str:
    lines = str(error).strip().splitlines() or ["no message"]
    return f"{owner.__name__}: {activity} fails with {type(error).__name__}: {lines[0]}"
