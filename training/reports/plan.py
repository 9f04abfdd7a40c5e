"""A sweep file: which runs a sweep consists of, each with its checked configuration."""

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.config import TrainConfig, parse_config
from training.errors import ConfigError

_KEYS = ("base", "seeds", "arms", "grid")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]*")

Tables = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of a sweep."""

    arm: str
    seed: int
    config: TrainConfig

    @property
    def name(self) -> str:
        """Where it is, below the directory of the sweep."""
        return f"{self.arm}/seed-{self.seed}"


@dataclass(frozen=True, slots=True)
class Sweep:
    """Every arm with every seed."""

    name: str
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    runs: tuple[PlannedRun, ...]
    """All arms of a seed before the next seed, so that a sweep that stops leaves arms that can be compared"""


def read_sweep(path: Path) -> Sweep:
    """Read a sweep file and check the configuration of every run.

    Raises:
        ConfigError: a file cannot be read, or a setting does not fit; the message names the arm.
    """
    tables = _read_toml(path)
    _refuse_unknown(tables, path)
    seeds = _seeds(tables, path)
    arms = dict(_arms(tables, path))
    bases = {base: _read_toml(path.parent / base) for base, _ in arms.values()}
    runs = tuple(
        PlannedRun(arm, seed, _config(bases[base], overrides, seed, source=f"{path}: arm {arm}"))
        for seed in seeds
        for arm, (base, overrides) in arms.items()
    )
    return Sweep(path.stem, tuple(arms), seeds, runs)


def _arms(tables: Tables, path: Path) -> Iterator[tuple[str, tuple[str, Tables]]]:
    """Name, base file and overrides of each arm; a grid makes several of each."""
    named: Tables = tables.get("arms") or {"": {}}
    grid = _points(tables.get("grid", {}), path)
    found: set[str] = set()
    for (arm, overrides), (point, settings) in itertools.product(named.items(), grid):
        if not isinstance(overrides, dict):
            raise ConfigError(f"{path}: arm {arm} must be a table, [arms.{arm}]")
        name = "-".join(part for part in (arm, *point) if part) or Path(str(tables.get("base"))).stem
        if not _NAME.fullmatch(name) or name in found:
            raise ConfigError(
                f"{path}: {name!r} cannot name an arm: it becomes a folder of its own. Use letters, digits and ._=+-"
            )
        found.add(name)
        rest = {key: value for key, value in overrides.items() if key != "base"}
        yield name, (_base(overrides.get("base", tables.get("base")), path), _merge(rest, settings))


def _points(grid: Any, path: Path) -> list[tuple[list[str], Tables]]:
    """Every combination of the grid: what it adds to an arm's name, and its settings."""
    if not isinstance(grid, dict):
        raise ConfigError(f"{path}: grid must be a table, [grid]")
    axes = dict(_flatten(grid))
    for name, values in axes.items():
        if not isinstance(values, list) or not values or name.count(".") != 1:
            raise ConfigError(f'{path}: [grid] {name} must be a setting with a list of values, "table.setting" = [...]')
    points = []
    for values in itertools.product(*axes.values()):
        point = dict(zip(axes, values, strict=True))
        label = [f"{name.split('.')[1]}={str(value).lower()}" for name, value in point.items()]
        settings: Tables = {}
        for name, value in point.items():
            table, key = name.split(".")
            settings.setdefault(table, {})[key] = value
        points.append((label, settings))
    return points


def _flatten(grid: Tables) -> Iterator[tuple[str, Any]]:
    """`"a.b" = []` and `a.b = []` mean the same."""
    for name, value in grid.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def _config(base: Tables, overrides: Tables, seed: int, *, source: str) -> TrainConfig:
    if "seed" in overrides.get("run", {}):
        raise ConfigError(f"{source}: run.seed is set by an arm, but seeds are given by the sweep's list")
    return parse_config(_merge(_merge(base, overrides), {"run": {"seed": seed}}), source=source)


def _merge(tables: Tables, overrides: Tables) -> Tables:
    """Settings of the one, replaced or joined by those of the other; nothing given is changed."""
    merged = dict(tables)
    for name, settings in overrides.items():
        both = isinstance(settings, dict) and isinstance(merged.get(name), dict)
        merged[name] = {**merged[name], **settings} if both else settings
    return merged


def _base(value: Any, path: Path) -> str:
    if not isinstance(value, str):
        raise ConfigError(f'{path}: base must name the TOML file of a run, base = "run.toml"')
    return value


def _seeds(tables: Tables, path: Path) -> tuple[int, ...]:
    seeds = tables.get("seeds")
    whole = isinstance(seeds, list) and all(isinstance(seed, int) and not isinstance(seed, bool) for seed in seeds)
    if not whole or not seeds or len(set(seeds)) != len(seeds):
        raise ConfigError(f"{path}: seeds must be a list of different whole numbers, seeds = [42, 43, 44]")
    return tuple(seeds)


def _refuse_unknown(tables: Mapping[str, Any], path: Path) -> None:
    for key in tables:
        if key not in _KEYS:
            raise ConfigError(f"{path}: unknown setting {key!r}; a sweep has {', '.join(_KEYS)}")


def _read_toml(path: Path) -> Tables:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as TOML: {error}") from error
