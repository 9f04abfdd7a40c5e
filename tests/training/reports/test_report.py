import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.config import TrainConfig
from training.errors import TrainingError
from training.progress import Display
from training.reports.report import as_toml, write_report
from training.train import train

Make = Callable[..., TrainConfig]


class Outline(HTMLParser):
    """Headings, and every address an element refers to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href", "data")]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] in ("h1", "h2") and data.strip():
            self.headings.append(data)


SECTIONS = ["Scores", "Retrieval and other scores", "STS-B dev", "Training", "Configuration"]


@pytest.fixture
def run(tiny_run: Make, world: Path, tmp_path: Path, display: Display) -> Path:
    train(tiny_run(), output=tmp_path / "runs" / "tiny", data=world, resume=False, display=display)
    return tmp_path / "runs" / "tiny"


def test_a_report_has_every_part_and_refers_to_nothing_outside(run: Path) -> None:
    html = write_report(run).read_text()
    outline = Outline(html)
    assert outline.headings == ["mcse: runs/tiny", *SECTIONS]
    assert "http:" not in html
    assert "https:" not in html
    assert "script" not in outline.tags
    assert all(address.startswith(("#", "data:")) for address in outline.addresses)
    assert outline.tags.count("svg") == 6
    average = json.loads((run / "bundle" / "mcse.json").read_text())["scores"]["sts_average"]
    assert f"<td>{average:.2f}</td>" in html
    assert "<td>77.3 ± 0.5</td>" in html
    assert "not the same experiment. Different here: model (tiny-bert, not bert-base-uncased)" in html
    assert "finished after 12 steps" in html
    assert "grounding_weight = 1.0" in html


def test_an_unfinished_run_has_a_report(run: Path) -> None:
    shutil.rmtree(run / "bundle")
    (run / "scores.json").unlink(missing_ok=True)
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text("\n".join(lines[:6]) + '\n{"step": 6, "ki')
    html = write_report(run).read_text()
    assert "not finished: 5 steps so far" in html
    assert "The run has no final scores yet." in html


def test_what_a_configuration_says_is_text_and_no_markup(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model": {"base": "<script>alert(1)</script>"}}))
    assert "<script" not in write_report(tmp_path).read_text()


def test_facts_of_the_environment_are_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"run": {"seed": 7}}')
    environment = {
        "started": "2026-01-02T03:04:05+00:00",
        "command": ["mcse", "train", "configs/wiki.toml"],
        "python": "3.11.9",
        "versions": {"torch": "2.13.0"},
        "git": {"commit": "abc123", "changed": True},
        "machine": {"cores": 8, "device": "cpu"},
    }
    (tmp_path / "environment.json").write_text(json.dumps(environment))
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "kind": "text", "loss": 1.0, "seconds": 3725.4}\n')
    html = write_report(tmp_path).read_text()
    for fact in (
        "<dd>wiki.toml</dd>",
        "<dd>7</dd>",
        "<dd>1:02:05</dd>",
        "<dd>2026-01-02T03:04:05+00:00</dd>",
        "<dd>abc123 with changes</dd>",
        "<dd>python 3.11.9, torch 2.13.0</dd>",
        "<dd>cores 8, device cpu</dd>",
    ):
        assert fact in html


def test_a_configuration_is_printed_as_toml() -> None:
    tables = {"model": {"base": 'a "b"', "dropout": None}, "run": {"seed": 1, "tensorboard": False}}
    assert as_toml(tables) == (
        '[model]\nbase = "a \\"b\\""\n# dropout is unset\n\n[run]\nseed = 1\ntensorboard = false\n'
    )


def test_the_command_makes_the_report_anew_and_tells_where_it_is(run: Path) -> None:
    (run / "report.html").unlink(missing_ok=True)
    command = [sys.executable, "-m", "training", "report"]
    done = subprocess.run([*command, str(run)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, str(run / "report.html"))
    assert (run / "report.html").exists()
    refused = subprocess.run([*command, str(run / "bundle")], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: ")
    assert "not the settings of a run" in refused.stderr


def test_no_run_no_report(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no run is there"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1200])
def test_a_browser_shows_it_without_a_complaint(run: Path, tmp_path: Path, width: int) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium to open the report with")
    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr",
            f"--window-size={width},3000",
            f"--screenshot={tmp_path / 'shot.png'}",
            "--dump-dom",
            write_report(run).as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "CONSOLE" not in done.stderr
    assert Outline(done.stdout).headings == ["mcse: runs/tiny", *SECTIONS]
    assert np.asarray(Image.open(tmp_path / "shot.png").convert("L")).std() > 5
