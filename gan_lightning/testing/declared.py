"""Checks of what every class declares: a docstring, and a `Config` with ranges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass, replace
from typing import Any

from gan_lightning.testing.failure import describing, require
from gan_lightning.utils.settings import check_settings, settings_of
from gan_lightning.utils.type_hints import unsupported_field
from gan_lightning.utils.typed_values import merge

__all__ = ["check_config_is_checked", "check_declarations", "make_config"]


def check_declarations(owner: type[Any], base: type[Any], config_base: type[Any]) -> None:
    """Check base class, docstring and `Config` of a class.

    Args:
        owner: the class that is checked.
        base: class that it must derive from.
        config_base: class that its `Config` must derive from.
    """
    require(
        isinstance(owner, type) and issubclass(owner, base),
        owner if isinstance(owner, type) else type(owner),
        f"it does not derive from {base.__name__}",
    )
    own = owner.__dict__.get("__doc__") or ""
    require(bool(own.strip()), owner, "it has no docstring")
    config = getattr(owner, "Config", None)
    require(
        isinstance(config, type) and is_dataclass(config) and issubclass(config, config_base),
        owner,
        f"its Config is no dataclass that derives from {config_base.__name__}",
    )
    assert isinstance(config, type)
    declared = settings_of(config)
    silent = [name for name, known in declared.items() if known is None]
    require(
        not silent,
        owner,
        f"Config.{', Config.'.join(silent)} has no description; declare it by "
        f'setting(default, "…", minimum=…)',
    )
    with describing(owner, "checking the default Config"):
        check_settings(config())
        unsupported = unsupported_field(config)
        assert unsupported is None, f"a YAML file cannot have Config.{unsupported}"
        assert merge(config, asdict(config())) == config()


def check_config_is_checked(owner: type[Any], config: Any, build: Callable[[Any], Any]) -> None:
    """Check that a value out of its range is refused when an object of the class is built.

    Args:
        owner: the class that is checked.
        config: an instance of its `Config` with which it can be built.
        build: builds an object of the class.
    """
    for name, known in settings_of(type(config)).items():
        value = getattr(config, name)
        if known is None or known.minimum is None or type(value) not in (int, float):
            continue
        wrong = replace(config, **{name: type(value)(known.minimum - 1)})
        try:
            build(wrong)
        except ValueError as error:
            require(name in str(error), owner, f"the error of a wrong {name} does not name it")
            return
        require(
            False,
            owner,
            f"it accepts {name}={getattr(wrong, name)}, which is out of the range of its Config; "
            f"call super().__init__(config, …)",
        )


def make_config(owner: type[Any], config: Any) -> Any:
    """Return an instance of a class's `Config`: the given one, or that of values by name.

    Args:
        owner: class with a `Config`.
        config: an instance, a mapping of values, or None for the defaults.
    """
    if config is None:
        return owner.Config()
    if not isinstance(config, Mapping):
        return config
    return merge(owner.Config, config)
