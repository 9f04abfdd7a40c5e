"""The packed path against the reference: every family, pooling and precision, and the edges."""

import gzip
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from transformers import AutoModel

from models import ReferenceRuntime, load
from models.config import POOLINGS, Pooling
from models.runtime import Vectors
from models.runtime.architecture import Activation, Linear
from models.runtime.packed import PackedRuntime
from models.runtime.products import product
from models.runtime.unsupported import UnsupportedArchitecture
from tests.models.runtime.families import FAMILIES, MAX_TOKENS, config, cosines, random_checkpoint, sentences

PRECISIONS: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
# Lowest cosine to float32 of a sentence.
BFLOAT16 = 0.9995
SHIPPED = Path(__file__).parents[3] / "models" / "checkpoints" / "mcse-minilm-l6"


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_pooling_and_precision_is_that_of_the_reference(
    tiny_base: Path, family: str, pooling: Pooling, precision: Literal["float32", "bfloat16"]
) -> None:
    checkpoint = random_checkpoint(tiny_base, family, pooling)
    batch = [*sentences(40), [7], [8] * MAX_TOKENS]
    ours = PackedRuntime(checkpoint, precision=precision).encode(batch)
    theirs = ReferenceRuntime(checkpoint).encode(batch)
    assert ours.dtype == np.float32
    if precision == "float32":
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert cosines(ours, theirs).min() > BFLOAT16


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_states_of_all_tokens_are_those_of_the_reference(
    tiny_base: Path, family: str, pooling: Pooling, precision: Literal["float32", "bfloat16"]
) -> None:
    checkpoint = random_checkpoint(tiny_base, family, pooling)
    batch = [*sentences(40), [7], [8] * MAX_TOKENS]
    ours = PackedRuntime(checkpoint, precision=precision).states(batch)
    theirs = ReferenceRuntime(checkpoint).states(batch)
    assert [each.shape for each in ours] == [(len(ids), checkpoint.dimension) for ids in batch]
    if precision == "float32":
        np.testing.assert_allclose(np.concatenate(ours), np.concatenate(theirs), atol=1e-5)
    assert cosines(np.concatenate(ours), np.concatenate(theirs)).min() > BFLOAT16


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sentence_has_the_same_vector_whatever_its_batch_mates(tiny_base: Path, family: str) -> None:
    runtime = PackedRuntime(random_checkpoint(tiny_base, family, "mean"))
    batch = sentences(60)
    alone = np.concatenate([runtime.encode([ids]) for ids in batch])
    np.testing.assert_allclose(runtime.encode(batch), alone, atol=1e-5)
    backwards = runtime.encode(batch[::-1])[::-1]
    np.testing.assert_allclose(backwards, alone, atol=1e-5)


def test_in_bfloat16_batch_mates_move_a_vector_within_its_bound(tiny_base: Path) -> None:
    runtime = PackedRuntime(random_checkpoint(tiny_base, "bert", "cls"), precision="bfloat16")
    batch = sentences(60)
    alone = np.concatenate([runtime.encode([ids]) for ids in batch])
    assert cosines(runtime.encode(batch), alone).min() > BFLOAT16


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_thousand_equal_texts_have_one_vector(tiny_base: Path, precision: Literal["float32", "bfloat16"]) -> None:
    runtime = PackedRuntime(random_checkpoint(tiny_base, "bert", "mean"), precision=precision)
    vectors = runtime.encode([[2, 7, 9, 11, 3]] * 1000)
    assert vectors.shape == (1000, runtime.dimension)
    np.testing.assert_allclose(vectors, np.broadcast_to(vectors[0], vectors.shape), atol=1e-5)


@pytest.mark.parametrize("batch", [[[5]], [[5] * MAX_TOKENS]], ids=["one token", "the longest"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_shortest_and_the_longest_sentence_are_encoded_alone(
    tiny_base: Path, family: str, batch: list[list[int]]
) -> None:
    checkpoint = random_checkpoint(tiny_base, family, "cls")
    theirs = ReferenceRuntime(checkpoint).encode(batch)
    np.testing.assert_allclose(PackedRuntime(checkpoint).encode(batch), theirs, atol=1e-5)


def test_an_empty_batch_and_an_empty_sentence_are_refused(tiny_base: Path) -> None:
    runtime = PackedRuntime(load(tiny_base))
    for call in (runtime.encode, runtime.states):
        with pytest.raises(ValueError, match="the batch is empty"):
            call([])
        with pytest.raises(ValueError, match="has no token"):
            call([[5], []])


def test_the_same_call_gives_the_same_bytes(tiny_base: Path) -> None:
    runtime, batch = PackedRuntime(load(tiny_base), precision="bfloat16"), sentences(30, longest=20)
    assert runtime.encode(batch).tobytes() == runtime.encode(batch).tobytes()


def test_another_architecture_is_named(tiny_base: Path) -> None:
    checkpoint = random_checkpoint(tiny_base, "bert", "cls")
    checkpoint.model.encoder.backbone = AutoModel.from_config(config("bert", hidden_act="silu"))
    with pytest.raises(UnsupportedArchitecture, match="activation 'silu'"):
        PackedRuntime(checkpoint)


def test_it_says_what_it_is(tiny_base: Path) -> None:
    runtime = PackedRuntime(load(tiny_base), precision="bfloat16", threads=1, reason="a test")
    assert (runtime.name, runtime.precision, runtime.reason) == ("packed-bfloat16", "bfloat16", "a test")
    assert runtime.threads == 1 == torch.get_num_threads()
    assert runtime.grounded_dimension is None


def test_grounding_is_that_of_the_reference_and_needs_its_head(tiny_bundle: Path, tiny_base: Path) -> None:
    checkpoint = load(tiny_bundle)
    vectors = ReferenceRuntime(checkpoint).encode([[2, 7, 3], [2, 9, 3]])
    np.testing.assert_array_equal(
        PackedRuntime(checkpoint).ground(vectors), ReferenceRuntime(checkpoint).ground(vectors)
    )
    with pytest.raises(ValueError, match="no grounding head"):
        PackedRuntime(load(tiny_base)).ground(vectors)


@pytest.mark.parametrize("activation", [None, "gelu", "gelu_tanh", "relu"])
def test_prepared_products_are_those_of_plain_torch(
    activation: Activation | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where oneDNN is not at hand the plain product stands in."""
    linear, rows, cpu = Linear(torch.randn(48, 32), torch.randn(48)), torch.randn(9, 32), torch.device("cpu")
    prepared = product(linear, activation, torch.float32, cpu)(rows)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    plain = product(linear, activation, torch.float32, cpu)(rows)
    torch.testing.assert_close(prepared, plain, atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def real_sentences(data: Path) -> list[str]:
    with gzip.open(data / "wiki" / "simplewiki_sentences.txt.gz", "rt", encoding="utf-8") as lines:
        return [line.strip() for _, line in zip(range(64), lines, strict=False)]


@pytest.mark.data
def test_the_shipped_checkpoint_keeps_its_vectors(real_sentences: list[str]) -> None:
    checkpoint = load(SHIPPED)
    batch = [tokenized.ids for tokenized in checkpoint.tokenizer.encode(real_sentences)]
    theirs: Vectors = ReferenceRuntime(checkpoint).encode(batch)
    np.testing.assert_allclose(PackedRuntime(checkpoint).encode(batch), theirs, atol=1e-5)
    assert cosines(PackedRuntime(checkpoint, precision="bfloat16").encode(batch), theirs).min() > BFLOAT16
