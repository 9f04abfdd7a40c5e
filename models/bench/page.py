"""The results as one page that needs nothing else: no script, no other file, light or dark as the device is."""

from collections.abc import Mapping, Sequence
from html import escape

from models.bench.chart import bars, lines
from models.bench.results import Results
from models.bench.tables import Table, facts, tables

# Colours are told apart with any colour vision, and seen on white as on black.
_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1d2433; --soft: #5b6577; --line: #dfe3ea; --mark: #f4f6fa;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b0569b; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171d; --ink: #e3e7ef; --soft: #9aa4b5; --line: #2f3642; --mark: #1d222b;
    --c0: #56b4e9; --c1: #f0883e; --c2: #2fc79a; --c3: #d98cc8; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem; max-width: 72rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 0.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 0.5rem; }
p.fact { margin: 0; color: var(--soft); overflow-wrap: anywhere; }
ul { margin: 0; padding: 0.75rem 1rem 0.75rem 2rem; background: var(--mark); border-radius: 8px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem; }
figure { margin: 0; }
figcaption { font-weight: 600; margin-bottom: 0.25rem; }
svg { width: 100%; height: auto; display: block; font: 12px system-ui, sans-serif; }
svg text { fill: var(--soft); }
svg .name, svg .tick, svg .value { text-anchor: middle; }
svg .up { text-anchor: end; }
svg .value { fill: var(--ink); font-weight: 600; }
svg .key { fill: var(--ink); }
svg .axis { stroke: var(--soft); fill: none; }
svg .grid { stroke: var(--line); fill: none; }
svg .limit { stroke: var(--ink); stroke-width: 2; stroke-dasharray: 5 3; fill: none; }
svg .c0 { fill: var(--c0); } svg .c1 { fill: var(--c1); } svg .c2 { fill: var(--c2); } svg .c3 { fill: var(--c3); }
svg .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
svg .line.c0 { stroke: var(--c0); } svg .line.c1 { stroke: var(--c1); }
svg .line.c2 { stroke: var(--c2); } svg .line.c3 { stroke: var(--c3); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: 0.25rem 0.7rem; border-bottom: 1px solid var(--line); text-align: right; font-weight: 400; }
th:first-child, td:first-child { text-align: left; }
thead th { background: var(--mark); font-weight: 600; }
"""


def page(results: Results) -> str:
    """A whole document."""
    title = f"{results.model.name} on this machine"
    missing = [f"Not here: {line}" for line in results.missing]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',  # else a browser asks for one
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head>",
            f"<body><h1>{escape(title)}</h1>",
            *(f'<p class="fact">{escape(line)}</p>' for line in facts(results)),
            "<h2>Recommended</h2>",
            f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in (*results.advice, *missing))}</ul>",
            "<h2>In pictures</h2>",
            _figures(_charts(results)),
            *map(_table, tables(results)),
            "</body></html>",
            "",
        ]
    )


def _charts(results: Results) -> dict[str, str]:
    return {
        "Matrix work done, and the peak of this machine": _work(results),
        f"Sentences a second by batch size, {results.chosen}": _batches(results),
        f"Latency at rising load, {results.chosen}": _latency(results),
        f"Sentences a second by token budget, {results.chosen}": _budgets(results),
    }


def _work(results: Results) -> str:
    done = {path.runtime: path.flops_per_s / 1e9 for path in results.paths}
    peaks = {p.runtime: p.peak_flops_per_s / 1e9 for p in results.paths if p.peak_flops_per_s is not None}
    return bars(done, peaks, y="GFLOP/s", alt="Operations a second of each runtime beside the measured matrix peak.")


def _batches(results: Results) -> str:
    series: dict[str, list[tuple[float, float]]] = {}
    for cell in results.cells:
        points = series.setdefault(f"{cell.tokens} tokens", [])
        if cell.sentences_per_s is not None:
            points.append((cell.batch, cell.sentences_per_s))
    ticks = {float(cell.batch): str(cell.batch) for cell in results.cells}
    alt = "Sentences a second over batch size, a line for each length in tokens."
    return lines(series, x="sentences in a batch", y="sentences/s", alt=alt, ticks=ticks, log=True)


def _latency(results: Results) -> str:
    series = {
        "p50": [(load.share, load.p50_ms) for load in results.loads],
        "p95": [(load.share, load.p95_ms) for load in results.loads],
        "p99": [(load.share, load.p99_ms) for load in results.loads],
    }
    ticks = {load.share: f"{load.share:.0%}" for load in results.loads}
    alt = "Median and tail latency in milliseconds over the share of the capacity that is offered."
    return lines(series, x="offered, of capacity", y="ms, from the moment due", alt=alt, ticks=ticks, log=True)


def _budgets(results: Results) -> str:
    points = [(float(rate.setting), rate.sentences_per_s) for rate in results.budgets]
    ticks = {at: f"{at:.0f}" for at, _ in points}
    alt = "Sentences a second over the tokens that are encoded together."
    return lines({results.chosen: points}, x="tokens in a batch", y="sentences/s", alt=alt, ticks=ticks, log=False)


def _figures(drawn: Mapping[str, str]) -> str:
    shown = (f"<figure><figcaption>{escape(name)}</figcaption>{svg}</figure>" for name, svg in drawn.items())
    return f'<div class="figures">{"".join(shown)}</div>'


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.header)
    body = "".join(f"<tr>{_row(row)}</tr>" for row in table.rows)
    return (
        f'<h2>{escape(table.title)}</h2><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(row: Sequence[str]) -> str:
    return f'<th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}'
