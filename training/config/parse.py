"""From a TOML file to a checked TrainConfig; every error names the file and the setting."""

import tomllib
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from training.config.checks import check
from training.config.sections import TrainConfig
from training.errors import ConfigError

_MOST_BYTES = 16_384  # the largest ones that come with mcse are a tenth of it


def load_config(path: Path) -> TrainConfig:
    """Read a run's TOML file.

    Raises:
        ConfigError: the file cannot be read, or a setting is unknown, mistyped, out of range or contradictory.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(
                f"{path}: over {_MOST_BYTES} bytes, which no settings of a run are. Is it the right file?"
            )
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file. See configs/ for the ones that come with mcse.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as TOML: {error}") from error
    return parse_config(tables, source=str(path))


def parse_config(tables: dict[str, Any], *, source: str) -> TrainConfig:
    """Make a TrainConfig of parsed TOML; `source` is named in errors."""
    kinds = get_type_hints(TrainConfig)
    _refuse_unknown(tables, kinds, source)
    for needed in ("model", "data"):
        if not isinstance(tables.get(needed), dict):
            raise ConfigError(f"{source}: the table [{needed}] is missing")
    made = {name: _section(kinds[name], name, table, source) for name, table in tables.items()}
    config = TrainConfig(**made)
    try:
        check(config)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error
    return config


def _section(kind: Any, name: str, table: Any, source: str) -> Any:
    if not isinstance(table, dict):
        raise ConfigError(f"{source}: {name} must be a table, [{name}]")
    hints = get_type_hints(kind)
    _refuse_unknown(table, hints, f"{source}: [{name}]")
    for key, value in table.items():
        if not _fits(value, hints[key]):
            raise ConfigError(f"{source}: {name}.{key} is {value!r}; expected {_describe(hints[key])}")
    try:
        return kind(**table)
    except TypeError as error:
        raise ConfigError(f"{source}: [{name}] {str(error).removeprefix('__init__() ')}") from error


def _refuse_unknown(table: dict[str, Any], known: dict[str, Any], where: str) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(f"{where}: unknown setting {key!r}; known are {', '.join(sorted(known))}")


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if choices := get_args(hint):  # a union
        return any(_fits(value, choice) for choice in choices)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _describe(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(repr, get_args(hint)))
    names = [_describe(choice) for choice in get_args(hint) if choice is not type(None)]
    return " or ".join(names) if names else str(getattr(hint, "__name__", hint))
