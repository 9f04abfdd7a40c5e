import re
from xml.etree import ElementTree

import pytest

from models.bench.chart import lines
from models.bench.page import page
from models.bench.results import Results
from models.bench.tables import tables


def drawings(html: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]  # noqa: S314


def test_the_page_holds_every_table_and_names_are_text(results: Results) -> None:
    html = page(results)
    for table in tables(results):
        for row in table.rows:
            assert all(f">{cell}<" in html for cell in row)
    assert "a &lt;processor&gt;" in html
    assert all(line.replace("'", "&#x27;") in html for line in results.advice)


def test_the_page_needs_nothing_else(results: Results) -> None:
    html = page(results)
    assert not re.search(r"(src|href)=\"(?!data:,)", html)
    assert "<script" not in html
    assert "@import" not in html


def test_every_picture_is_sound_and_says_what_it_shows(results: Results) -> None:
    found = drawings(page(results))
    assert len(found) == 4
    assert all(svg.get("aria-label") for svg in found)
    dots = [len(svg.findall("circle")) for svg in found]
    assert dots == [0, 3, 6, 3]  # a cell that was left out has no point


def test_points_lie_where_the_axis_says() -> None:
    svg = ElementTree.fromstring(  # noqa: S314
        lines({"a": [(1, 10), (2, 100), (3, 1000)]}, x="", y="", alt="a", ticks={1: "1", 2: "2", 3: "3"}, log=True)
    )
    x, y = ([float(dot.get(name, "")) for dot in svg.findall("circle")] for name in ("cx", "cy"))
    assert x[1] - x[0] == pytest.approx(x[2] - x[1])
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2)
    assert y[0] > y[2]


@pytest.mark.parametrize("log", [True, False])
def test_no_point_falls_outside_the_picture(log: bool) -> None:
    for low, high in ((0.002, 0.9), (5, 5), (99.9, 100.1), (1, 90_000), (2, 20)):
        svg = ElementTree.fromstring(  # noqa: S314
            lines({"a": [(1, low), (2, high)]}, x="", y="", alt="a", ticks={1: "1", 2: "2"}, log=log)
        )
        assert all(14 <= float(dot.get("cy", "")) <= 238 for dot in svg.findall("circle"))


def test_tables_show_what_was_left_out_as_a_dash(results: Results) -> None:
    by_size = tables(results)[1]
    assert by_size.header == ("batch", "8 tokens", "32 tokens")
    assert by_size.rows == (("1", "400", "110"), ("8", "1,500", "–"))
