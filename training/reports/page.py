"""Pages of HTML that need nothing else: no script, no other file, light or dark as the reader's device is."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from training.reports.figures import Drawing

_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1d2433; --soft: #5b6577; --line: #d9dee7;
  --mark: #f3f5f9; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171d; --ink: #e3e7ef; --soft: #9aa4b5; --line: #323946; --mark: #1d222b; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0.5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid var(--line); }
p { margin: 0.5rem 0; }
.note { color: var(--soft); font-size: 0.9rem; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 1rem; margin: 0; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
thead th { background: var(--mark); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1rem; }
@media (max-width: 40rem) { tbody th { white-space: normal; min-width: 9rem; } }
figure { margin: 0; max-width: 44rem; }
figure svg { width: 100%; height: auto; display: block; }
figcaption { color: var(--soft); font-size: 0.9rem; }
pre { background: var(--mark); padding: 0.75rem; overflow-x: auto; font-size: 0.85rem; }
a { color: inherit; }
"""


def page(title: str, *parts: str) -> str:
    """A whole document; the parts are HTML already."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',  # else a browser asks for one
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style></head>",
            f"<body><h1>{escape(title)}</h1>",
            *parts,
            "</body></html>",
            "",
        ]
    )


def section(heading: str, *parts: str) -> str:
    """Parts under a heading."""
    return "\n".join([f"<section><h2>{escape(heading)}</h2>", *parts, "</section>"])


def note(text: str) -> str:
    """A small paragraph of plain text."""
    return f'<p class="note">{escape(text)}</p>'


def facts(found: Mapping[str, str]) -> str:
    """Names with their values; empty values are left out."""
    rows = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in found.items() if value)
    return f'<dl class="facts">{"".join(rows)}</dl>'


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Plain text in cells; the first column names the row."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def figures(drawings: Mapping[str, Drawing]) -> str:
    """Drawings under their captions, beside each other where there is room."""
    shown = (f"<figure>{d.inline()}<figcaption>{escape(text)}</figcaption></figure>" for text, d in drawings.items())
    return f'<div class="figures">{"".join(shown)}</div>'


def preformatted(text: str) -> str:
    """Text as it is."""
    return f"<pre>{escape(text)}</pre>"


def links(targets: Mapping[str, str]) -> str:
    """Names that lead to files beside the page."""
    items = (f'<a href="{escape(target)}">{escape(name)}</a>' for name, target in targets.items())
    return f"<p>{' · '.join(items)}</p>"
