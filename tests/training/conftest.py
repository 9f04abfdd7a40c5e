"""A tiny world to train in: captions whose colours the image features carry, made here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.config import TrainConfig, parse_config
from training.evaluation.sts import STS_SETS

THINGS = ("dog", "cat", "ball", "car", "bike", "house", "tree", "shirt", "bank", "bear")
COLOURS = ("red", "blue", "green", "big", "small")
IMAGES = [(thing, colour) for thing in THINGS for colour in COLOURS]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A data folder: 50 images with features, a caption each, 200 sentences, and small STS files."""
    root = tmp_path / "data"
    root.mkdir()
    random = np.random.default_rng(0)
    things, colours = (random.normal(size=(len(names), 12)) for names in (THINGS, COLOURS))
    features = np.stack([things[THINGS.index(t)] + colours[COLOURS.index(c)] for t, c in IMAGES]).astype("f4")
    ids = np.array([f"{thing}-{colour}.jpg" for thing, colour in IMAGES])
    np.savez(root / "features.npz", image_ids=ids, features=features)
    captions = [f"{name}#0\ta {colour} {thing}" for name, (thing, colour) in zip(ids, IMAGES, strict=True)]
    (root / "captions.txt").write_text("\n".join(captions) + "\n")
    people = ("man", "woman", "girl", "boy")
    text = [f"the {p} {v} in the {w}" for p in people for v in ("runs", "sits", "plays") for w in ("snow", "grass")]
    (root / "text.txt").write_text("\n".join(text * 8) + "\n")
    write_sts(root / "sts", random)
    return root


def write_sts(folder: Path, random: np.random.Generator) -> None:
    """Pairs in the layout of the real files; the more words they share, the higher their score."""
    rows = []
    for _ in range(60):
        (t1, c1), (t2, c2) = (IMAGES[i] for i in random.integers(0, len(IMAGES), 2))
        rows.append((f"a {c1} {t1}", f"a {c2} {t2}", 1.0 + 2.0 * (t1 == t2) + 2.0 * (c1 == c2)))
    for name in (name for name in STS_SETS if name.startswith("STS1")):
        year = folder / f"{name}-en-test"
        year.mkdir(parents=True)
        (year / "STS.input.x.txt").write_text("".join(f"{a}\t{b}\n" for a, b, _ in rows))
        (year / "STS.gs.x.txt").write_text("".join(f"{gold}\n" for _, _, gold in rows))
    benchmark = folder / "STSBenchmark"
    benchmark.mkdir()
    for part in ("dev", "test"):
        lines = [f"g\tf\ty\t{i}\t{gold}\t{a}\t{b}\n" for i, (a, b, gold) in enumerate(rows)]
        (benchmark / f"sts-{part}.csv").write_text("".join(lines))
    (folder / "SICK").mkdir()
    lines = [f"{i}\t{a}\t{b}\t{gold}\tX\n" for i, (a, b, gold) in enumerate(rows)]
    (folder / "SICK" / "SICK_test_annotated.txt").write_text("id\ta\tb\tscore\tx\n" + "".join(lines))


@pytest.fixture
def tiny_run(tiny_base: Path) -> "Any":
    """Make the configuration of a run in the tiny world; keyword arguments change its tables."""

    def make(**changes: dict[str, Any]) -> TrainConfig:
        made: dict[str, dict[str, Any]] = {
            "model": {"base": str(tiny_base), "pooling": "mean", "projection": 8},
            "data": {"text": "text.txt", "captions": "captions.txt", "features": "features.npz"},
            "objective": {"grounding_weight": 1.0},
            "optimizer": {"learning_rate": 1e-3},
            "schedule": {"batch_size": 16, "pair_every": 2, "epochs": 100, "max_steps": 12},
            "evaluation": {"every": 4},
        }
        for table, settings in changes.items():
            made.setdefault(table, {}).update(settings)
        return parse_config(made, source="tiny")

    return make
