"""Workers answer what was asked of them, and padded batches give the vectors that the reference gives."""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.encode import BASE, Measured, Way, measure, table
from benchmarks.peers.ways import torch_padded
from benchmarks.peers.worker import Worker, environment
from models import ReferenceRuntime, load
from models.config import Pooling
from models.runtime.base import Vectors

TEXTS = ["a dog", "the cat sits on the big green car in the street", "two people", "snow"] * 10


def reference(model: Path, texts: Sequence[str]) -> Vectors:
    checkpoint = load(model)
    return ReferenceRuntime(checkpoint).encode([tokenized.ids for tokenized in checkpoint.tokenizer.encode(texts)])


def test_a_worker_tells_seconds_and_gives_the_vectors(tiny_bundle: Path) -> None:
    arguments = ["--model", str(tiny_bundle), "--precision", "float32"]
    with Worker(Path(sys.executable), "mcse_encode", arguments, threads=1) as worker:
        worker.ready()
        assert 0 < worker.seconds(TEXTS) < 60
        np.testing.assert_allclose(worker.vectors(TEXTS), reference(tiny_bundle, TEXTS), atol=1e-5)


def test_a_worker_that_cannot_open_its_model_is_told(tmp_path: Path) -> None:
    worker = Worker(Path(sys.executable), "mcse_encode", ["--model", str(tmp_path)], threads=1)
    with worker, pytest.raises(RuntimeError, match="its process has ended"):
        worker.ready()


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_padded_batches_give_the_reference_in_the_order_of_the_texts(
    tiny_bundle: Path, tmp_path: Path, pooling: Pooling
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for file in tiny_bundle.rglob("*"):
        if file.is_file() and file.name not in ("manifest.json", "mcse.json"):
            target = model / file.relative_to(tiny_bundle)
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(file.read_bytes())
    settings = model / "1_Pooling" / "config.json"
    flags = {"pooling_mode_cls_token": pooling == "cls", "pooling_mode_mean_tokens": pooling == "mean"}
    settings.write_text(json.dumps({**json.loads(settings.read_text()), **flags}))
    arguments = Namespace(model=str(model), precision="float32", threads=1)
    found = torch_padded.open_way(arguments)(TEXTS)
    np.testing.assert_allclose(found, reference(model, TEXTS), atol=1e-5)


def test_our_own_ways_go_through_the_whole_comparison(tiny_bundle: Path) -> None:
    ways = {BASE: Way(None, "mcse_encode", "float32"), "again": Way(None, "mcse_encode", "float32")}
    found = measure(ways, tiny_bundle, TEXTS, rounds=2, threads=1, sts_data=None)
    assert [len(measured.seconds) for measured in found.values()] == [2, 2]
    rows = table(found, "tiny").rows
    assert [row[0] for row in rows] == [BASE, "again"]
    assert [row[3] for row in rows] == ["1.000000", "1.000000"]


def test_the_table_tells_times_of_the_base_and_the_distance_from_it() -> None:
    first = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    other = np.array([[1.0, 0.0], [1.0, 1.0]], dtype=np.float32)
    found = {BASE: Measured([4.0, 2.0], first, None), "mcse": Measured([1.0, 1.0], other, 81.234)}
    shown = table(found, "two")
    assert shown.header[-1] == "STS average"
    assert shown.rows[1] == ("mcse", "2", "3.00 (2.00 to 4.00)", "0.707107", "0.853553", "81.23")


def test_workers_share_nothing_of_our_settings_and_go_to_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCSE_PRECISION", "int8")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    given = environment(3)
    assert (given["OMP_NUM_THREADS"], given["RAYON_NUM_THREADS"], given["HF_HUB_OFFLINE"]) == ("3", "3", "1")
    assert not {"MCSE_PRECISION", "TOKENIZERS_PARALLELISM"} & given.keys()
