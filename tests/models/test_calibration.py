"""The texts that int8 and uint8 are calibrated on, and the ranges of a checkpoint."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from models.calibration import bounds_of, calibration_texts, ranges_of, ranges_within, texts_digest
from models.quantize import Vectors, quantize
from models.serving import open_to_serve
from models.shipped import SHIPPED

VECTORS = (5 * np.random.default_rng(1).normal(size=(300, 16))).astype(np.float32)


@pytest.mark.parametrize("dimensions", [16, 5, 1])
def test_ranges_hold_the_vectors_that_are_cut_and_then_scaled(dimensions: int) -> None:
    cut = VECTORS[:, :dimensions]
    largest = np.abs(cut / np.linalg.norm(cut, axis=1, keepdims=True)).max()
    ranges = ranges_of(VECTORS, dimensions)
    assert ranges.lowest == -ranges.highest
    assert largest - 1e-6 <= ranges.highest <= largest + 1 / 32


def test_bounds_are_those_of_every_number_of_dimensions() -> None:
    bounds = bounds_of(VECTORS)
    assert bounds.shape == (16,)
    assert bounds[0] == 1
    assert [ranges_within(bound) for bound in bounds] == [ranges_of(VECTORS, cut) for cut in range(1, 17)]


def test_vectors_that_differ_in_the_last_digits_have_the_same_ranges() -> None:
    noise = np.random.default_rng(2).normal(size=VECTORS.shape).astype(np.float32)
    np.testing.assert_array_equal(bounds_of(VECTORS), bounds_of(VECTORS + 1e-5 * noise))


def test_the_length_of_the_vectors_does_not_matter() -> None:
    np.testing.assert_array_equal(bounds_of(VECTORS), bounds_of(1000 * VECTORS))


def test_the_texts_are_many_and_different_and_always_the_same() -> None:
    texts = calibration_texts()
    assert texts == calibration_texts()
    assert len(texts) == len(set(texts)) > 500
    assert all(text.strip() for text in texts)
    assert {"?", "今天下午我们在图书馆学习数学。"} <= set(texts)
    assert texts_digest() == hashlib.sha256("\0".join(texts).encode()).hexdigest()


@pytest.mark.data
def test_codes_of_the_shipped_checkpoint_find_what_its_vectors_find(data: Path) -> None:
    """Sentences of STS-B, of which none is among the texts; none of their numbers is beyond the range."""
    checkpoint, runtime = open_to_serve(str(SHIPPED), threads=1)

    def encode(texts: list[str]) -> Vectors:
        vectors = runtime.encode([each.ids for each in checkpoint.tokenizer.encode(texts)])
        scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return scaled

    vectors = encode(sentences(data))
    ranges = ranges_of(encode(calibration_texts()), 384)
    codes = quantize(vectors, "int8", ranges).astype(np.float32)
    assert np.abs(vectors).max() <= ranges.highest
    assert overlap(vectors @ vectors.T, codes @ codes.T) >= 0.98


def sentences(data: Path) -> list[str]:
    lines = (data / "sts" / "STSBenchmark" / "sts-dev.csv").read_text(encoding="utf-8").splitlines()
    return list(dict.fromkeys(line.split("\t")[5] for line in lines))[:600]


def overlap(exact: Vectors, found: Vectors) -> float:
    """Share of the ten highest of each row that are among the ten highest of the other's."""
    ten = [np.argpartition(-scores, 10, axis=1)[:, :10] for scores in (exact, found)]
    return float(
        np.mean([len(set(one) & set(two)) / 10 for one, two in zip(*(each.tolist() for each in ten), strict=True)])
    )
