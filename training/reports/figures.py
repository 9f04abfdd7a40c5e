"""Draw with matplotlib: figures that stand in a page, light or dark, and figures that stand alone in a file."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.files import write_durably

# Told apart with any colour vision, and seen on white as on black.
COLOURS = ("#0077bb", "#ee7733", "#009988", "#cc3311", "#aa4499", "#999933", "#33bbee", "#888888")
INK = "#123456"  # no other part of a figure has this colour, so that a page can give it its own
_WIDTH, _HEIGHT = 5.2, 3.3  # inches; small, so that letters stay readable where a page is as narrow as a phone
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # letters stay letters
    "svg.hashsalt": "mcse",  # the same figure gives the same bytes
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A finished figure as SVG, with what it shows in words."""

    svg: str
    alt: str

    def inline(self) -> str:
        """As an element of a page, in the page's own ink."""
        svg = self.svg[self.svg.index("<svg") :]
        svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
        svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
        svg = re.sub(r' id="[a-z0-9]+(\.[a-z]+)?_\d+"', "", svg)  # several figures in one page would share these
        svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg)
        svg = svg.replace(INK, "currentColor")
        return svg.replace("<svg", f'<svg role="img" aria-label="{escape(self.alt)}"', 1)

    def save(self, path: Path) -> None:
        """As a file, with black ink."""
        write_durably(path, self.svg.replace(INK, "#000000").encode())


class Canvas:
    """One pair of axes to draw on, and the drawing once that is done."""

    def __init__(self, height: float) -> None:
        self._figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        self._figure.patch.set_alpha(0)
        self.axes: Axes = self._figure.add_subplot()
        self.axes.patch.set_alpha(0)

    def drawing(self, alt: str) -> Drawing:
        """What was drawn; call it inside `canvas`."""
        if not np.isfinite(self.axes.dataLim.get_points()).all():  # nothing was drawn, or curves without a point
            self.axes.set(xticks=[], yticks=[])
            self.axes.text(0.5, 0.5, "nothing measured", ha="center", transform=self.axes.transAxes)
        buffer = io.StringIO()
        self._figure.savefig(buffer, format="svg", metadata={"Date": None})
        return Drawing(buffer.getvalue(), alt)


@contextmanager
def canvas(x: str, y: str, *, height: float = _HEIGHT) -> Iterator[Canvas]:
    """A canvas in the project's style with named axes."""
    with mpl.rc_context(_STYLE):
        made = Canvas(height)
        made.axes.set_xlabel(x)
        made.axes.set_ylabel(y)
        made.axes.grid(color=INK, alpha=0.15, linewidth=0.6)
        yield made
