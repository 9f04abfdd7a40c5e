"""Charts as inline SVG in the page's own colours: lines over a logarithmic or even axis, and bars."""

import math
from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 520, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 14, 62
_PLOT_WIDTH, _PLOT_HEIGHT = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_MOST_TICKS = 6

Points = Sequence[tuple[float, float]]
"""x and y of each point"""


def lines(series: Mapping[str, Points], *, x: str, y: str, alt: str, ticks: Mapping[float, str], log: bool) -> str:
    """One line per name.

    Args:
        series: the lines' points; a line without points is left out.
        x: what the horizontal axis shows.
        y: what the vertical axis shows.
        alt: the chart in a sentence, for those who do not see it.
        ticks: every x that there is, in order, and what it is called; they stand at equal distances.
        log: let equal steps of the vertical axis be equal factors.
    """
    drawn = {name: points for name, points in series.items() if points}
    values = [value for points in drawn.values() for _, value in points]
    axis = _log_axis(values) if log else _even_axis(values)
    step = _PLOT_WIDTH / len(ticks)
    across = {at: _LEFT + step * (number + 0.5) for number, at in enumerate(ticks)}
    parts = [_frame(x, y), _marks_across({across[at]: text for at, text in ticks.items()})]
    parts += [_mark_up(axis(value), _short(value)) for value in axis.ticks]
    for number, points in enumerate(drawn.values()):
        parts.append(_line([(across[at], axis(value)) for at, value in points], number))
    return _svg([*parts, _legend(list(drawn))], alt)


def bars(values: Mapping[str, float], limits: Mapping[str, float], *, y: str, alt: str) -> str:
    """A bar per name, with a mark at the limit where there is one; figures stand below the names."""
    axis = _even_axis([*values.values(), *limits.values()])
    slot = _PLOT_WIDTH / max(1, len(values))
    parts = [_frame("", y), *(_mark_up(axis(value), _short(value)) for value in axis.ticks)]
    names: dict[float, str] = {}
    for number, (name, value) in enumerate(values.items()):
        left, width = _LEFT + slot * (number + 0.25), slot / 2
        names[left + width / 2] = name
        parts.append(_bar(left, axis(value), width, number))
        limit = limits.get(name)
        told = _short(value) if limit is None else f"{_short(value)} of {_short(limit)}"
        parts.append(f'<text class="value" x="{left + width / 2:.1f}" y="{_HEIGHT - _BOTTOM + 35}">{told}</text>')
        if limit is not None:
            parts.append(f'<path class="limit" d="M{left - width / 8:.1f} {axis(limit):.1f}h{1.25 * width:.1f}"/>')
    return _svg([*parts, _marks_across(names)], alt)


class _Axis:
    """From a value to its height in the picture."""

    def __init__(self, low: float, high: float, ticks: Sequence[float], *, log: bool) -> None:
        self.ticks = ticks
        self._scale = math.log10 if log else float
        self._low, self._high = self._scale(low), self._scale(high)

    def __call__(self, value: float) -> float:
        share = (self._scale(value) - self._low) / (self._high - self._low)
        return _HEIGHT - _BOTTOM - _PLOT_HEIGHT * share


def _even_axis(values: Sequence[float]) -> _Axis:
    """From 0 to a round number above the highest."""
    high = max(values, default=1.0) or 1.0
    step = _round_step(high * 1.08 / (_MOST_TICKS - 1))
    count = math.ceil(high * 1.08 / step)
    return _Axis(0, step * count, [step * number for number in range(count + 1)], log=False)


def _log_axis(values: Sequence[float]) -> _Axis:
    """From a round number below the lowest to one above the highest: 1, 2 and 5 of each decade, or decades alone."""
    low, high = min(values, default=1.0), max(values, default=10.0)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
    below, above = max(t for t in fine if t <= low), min((t for t in fine if t > high), default=high * 2)
    inside = [tick for tick in fine if below <= tick <= above]
    if len(inside) > _MOST_TICKS + 2:
        inside = [tick for tick in inside if math.log10(tick).is_integer()]
    return _Axis(below, above, inside, log=True)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)


def _frame(x: str, y: str) -> str:
    middle, bottom = _LEFT + _PLOT_WIDTH / 2, _HEIGHT - _BOTTOM
    return (
        f'<path class="axis" d="M{_LEFT} {bottom}H{_WIDTH - _RIGHT}"/>'
        f'<text class="name" x="{middle}" y="{bottom + 36}">{escape(x)}</text>'
        f'<text class="name" transform="translate(12 {_TOP + _PLOT_HEIGHT / 2}) rotate(-90)">{escape(y)}</text>'
    )


def _marks_across(names: Mapping[float, str]) -> str:
    at = _HEIGHT - _BOTTOM + 17
    return "".join(f'<text class="tick" x="{x:.1f}" y="{at}">{escape(name)}</text>' for x, name in names.items())


def _mark_up(at: float, name: str) -> str:
    return (
        f'<path class="grid" d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}"/>'
        f'<text class="tick up" x="{_LEFT - 6}" y="{at + 4:.1f}">{name}</text>'
    )


def _line(points: Points, number: int) -> str:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dots = "".join(f'<circle class="c{number}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in points)
    return f'<path class="line c{number}" d="M{path}"/>{dots}'


def _bar(left: float, top: float, width: float, number: int) -> str:
    height = _HEIGHT - _BOTTOM - top
    return f'<rect class="c{number}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2"/>'


def _legend(names: Sequence[str]) -> str:
    step, at = _PLOT_WIDTH / max(1, len(names)), _HEIGHT - 8
    return "".join(
        f'<rect class="c{number}" x="{_LEFT + step * number:.1f}" y="{at - 9}" width="12" height="10" rx="2"/>'
        f'<text class="key" x="{_LEFT + step * number + 17:.1f}" y="{at}">{escape(name)}</text>'
        for number, name in enumerate(names)
    )


def _svg(parts: Sequence[str], alt: str) -> str:
    return f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 {_WIDTH} {_HEIGHT}">{"".join(parts)}</svg>'


def _short(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.0f}" if value >= 10 else f"{value:g}" if value == round(value, 2) else f"{value:.2f}"
