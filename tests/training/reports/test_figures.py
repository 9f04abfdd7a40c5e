from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl

from training.reports.figures import INK, Drawing, canvas


def draw(alt: str = "a line") -> Drawing:
    with canvas("step", "loss") as made:
        made.axes.plot([1, 2], [3, 4], label="x < y")
        made.axes.legend()
        return made.drawing(alt)


def test_a_figure_in_a_page_takes_the_pages_ink_and_refers_to_nothing() -> None:
    inline = draw('a "line"').inline()
    assert inline.startswith('<svg role="img" aria-label="a &quot;line&quot;"')
    assert INK not in inline
    assert "currentColor" in inline
    assert "http" not in inline
    ElementTree.fromstring(inline.replace("xlink:href", "href"))  # noqa: S314  (our own)


def test_a_figure_in_a_file_stands_alone(tmp_path: Path) -> None:
    draw().save(tmp_path / "figure.svg")
    root = ElementTree.parse(tmp_path / "figure.svg").getroot()  # noqa: S314  (our own)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert INK not in (tmp_path / "figure.svg").read_text()
    assert {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")} >= {"step", "loss", "x < y"}


def test_the_same_figure_gives_the_same_bytes() -> None:
    assert draw().svg == draw().svg


def test_drawing_leaves_matplotlibs_own_settings_alone() -> None:
    before = dict(mpl.rcParams)
    draw()
    assert dict(mpl.rcParams) == before
