"""The command as a user runs it, on the tiny model."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.bench.run import Asked, Bench
from models.errors import PrecisionError
from models.loader import load
from models.runtime import select

PARTS = {"machine", "model", "paths", "cells", "budgets", "threads", "loads", "advice", "chosen", "capacity_per_s"}


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mcse", "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})


@pytest.fixture(scope="module")
def quick(
    tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple["subprocess.CompletedProcess[str]", Path]:
    output = tmp_path_factory.mktemp("bench") / "new" / "folder"
    return run(tiny_bundle, "--quick", "--seconds", 2, "--threads", 1, "--output", output), output


def test_it_prints_tables_and_advice_and_says_where_the_files_are(
    quick: tuple["subprocess.CompletedProcess[str]", Path],
) -> None:
    done, output = quick
    assert done.returncode == 0, done.stderr
    for said in ("Throughput, mixed lengths", "Latency from the moment due", "MCSE_PRECISION=", "MCSE_THREADS=1"):
        assert said in done.stdout
    assert f"{output / 'bench.html'}" in done.stdout.replace("\n", "")


def test_it_writes_every_figure_and_a_page(quick: tuple["subprocess.CompletedProcess[str]", Path]) -> None:
    _, output = quick
    found: dict[str, Any] = json.loads((output / "results.json").read_text())
    assert found.keys() >= PARTS
    assert [load["share"] for load in found["loads"]] == [0.1, 0.3, 0.5, 0.7, 0.9]
    assert {cell["tokens"] for cell in found["cells"]} == {8, 20}  # no longer than the model reads
    for path in found["paths"]:
        assert path["sentences_per_s"] > 0
        assert path["cosine_min"] > 0.9
        assert path["share_of_peak"] is None or path["share_of_peak"] > 0
    assert (output / "bench.html").read_text().startswith("<!doctype html>")


def test_json_goes_to_standard_output_alone_with_sentences_of_the_user(tmp_path: Path, tiny_bundle: Path) -> None:
    (tmp_path / "own.txt").write_text("a dog\nthe cat sits on the mat\n")
    flags = ("--input", tmp_path / "own.txt", "--precision", "float32", "--threads", 1, "--seconds", 1, "--json")
    done = run(tiny_bundle, *flags, "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == json.loads((tmp_path / "results.json").read_text())
    assert [path["precision"] for path in found["paths"]] == ["float32"]
    assert found["model"]["source"] == "from own.txt"


def test_what_cannot_be_measured_is_told_in_a_sentence(tmp_path: Path, tiny_bundle: Path) -> None:
    done = run(tiny_bundle, "--input", tmp_path / "none.txt", "-o", tmp_path)
    assert done.returncode == 1
    assert "none.txt" in done.stderr
    assert "Traceback" not in done.stderr
    assert run(tmp_path, "-o", tmp_path).returncode == 1


def test_a_precision_that_is_not_to_be_had_is_left_out_of_all_and_told_alone(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a processor without our kernels int8 has no path."""
    told: list[str] = []
    monkeypatch.setattr(select, "lacking", "this processor is too old: {}".format)
    asked = Asked(texts=["a dog", "two people"], source="here", seconds=0.1, precisions=("float32", "int8"), threads=1)
    results = Bench(load(tiny_bundle), asked, told.append).run()
    assert [path.precision for path in results.paths] == ["float32"]
    assert len(told) <= asked.parts
    assert [line.partition(":")[0] for line in results.missing] == ["int8"]
    with pytest.raises(PrecisionError, match="too old"):
        Bench(load(tiny_bundle), dataclasses.replace(asked, precisions=("int8",)), told.append).run()
