"""Our own kernels against transformers' forward pass: every family they compute, every pooling, every number format."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

from models import Checkpoint, ReferenceRuntime, load
from models.config import POOLINGS, Pooling
from models.heads import MLPHead
from models.runtime import PRECISIONS, Precision, Vectors
from models.runtime.native.chunks import CHUNK_TOKENS, pack
from models.runtime.native.from_modules import native_runtime
from models.runtime.native.library import is_built
from models.runtime.native.processor import computes
from models.runtime.native.runtime import NativeRuntime
from models.runtime.unsupported import UnsupportedArchitecture
from tests.conftest import vocabulary, write_tokenizer

# Lowest cosine to float32 on the random models below; trained models are nearer (docs/performance.md).
BOUNDS = {"float32": 0.999999, "bfloat16": 0.9995, "int8": 0.997}
MAX_TOKENS = 90
FAMILIES = ("bert", "distilbert", "mpnet", "roberta", "xlm-roberta")
# (hidden, heads, intermediate): heads narrower than a panel, as wide and wider; panels that end in the middle.
SHAPES = [(32, 2, 64), (96, 3, 80), (128, 2, 208), (256, 2, 96), (240, 5, 336)]

pytestmark = pytest.mark.skipif(not computes("float32"), reason="this processor has no AVX-512")


def usable(precision: Precision) -> Precision:
    if not computes(precision):
        pytest.skip(f"this processor does not multiply {precision}")
    assert is_built(precision), "the kernels are not built: make kernels"
    return precision


def make(directory: Path, family: str = "bert", shape: tuple[int, int, int] = SHAPES[0], **more: object) -> Checkpoint:
    hidden, heads, intermediate = shape
    config = AutoConfig.for_model(
        family,
        vocab_size=len(vocabulary()),
        hidden_size=hidden,
        num_hidden_layers=3,
        num_attention_heads=heads,
        intermediate_size=intermediate,
        max_position_embeddings=MAX_TOKENS + 2,
        pad_token_id=0,
        **more,
    )
    torch.manual_seed(3)
    model = AutoModel.from_config(config)
    for name, weight in model.named_parameters():
        if weight.dim() == 1:  # fresh models have the same norms and biases everywhere, which hides a mix-up
            torch.nn.init.normal_(weight, mean=float("Norm.weight" in name or "layer_norm.weight" in name), std=0.2)
    model.save_pretrained(directory)
    write_tokenizer(directory)
    return load(directory)


def sentences(count: int, longest: int, seed: int = 0) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [random.integers(5, len(vocabulary()), random.integers(1, longest + 1)).tolist() for _ in range(count)]


def with_pooling(checkpoint: Checkpoint, pooling: Pooling) -> Checkpoint:
    head = None
    if pooling == "cls_mlp":
        torch.manual_seed(4)
        head = MLPHead(checkpoint.dimension).eval()
    encoder = type(checkpoint.model.encoder)(
        checkpoint.model.encoder.backbone, type(checkpoint.config)(pooling, MAX_TOKENS, checkpoint.dimension), head
    ).eval()
    model = type(checkpoint.model)(encoder).eval()
    return Checkpoint(
        checkpoint.name,
        checkpoint.path,
        checkpoint.kind,
        model,
        checkpoint.tokenizer,
        encoder.config,
        checkpoint.pooling_reason,
        checkpoint.fingerprint,
    )


def native(checkpoint: Checkpoint, precision: Precision = "float32", threads: int = 2) -> NativeRuntime:
    return native_runtime(checkpoint, precision=usable(precision), threads=threads, reason="a test")


def lowest_cosine(ours: Vectors, theirs: Vectors) -> float:
    dots = (ours.astype(np.float64) * theirs).sum(axis=1)
    return float((dots / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)).min())


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_pooling_and_precision_is_that_of_the_reference(
    tmp_path: Path, family: str, pooling: Pooling, precision: Precision
) -> None:
    checkpoint = with_pooling(make(tmp_path, family), pooling)
    batch = sentences(40, MAX_TOKENS)
    ours, theirs = native(checkpoint, precision).encode(batch), ReferenceRuntime(checkpoint).encode(batch)
    assert lowest_cosine(ours, theirs) > BOUNDS[precision]
    if precision == "float32":
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("pooling", ["cls", "cls_mlp", "mean", "top2"])
@pytest.mark.parametrize("family", ["bert", "mpnet"])
def test_the_states_of_all_tokens_are_those_of_the_reference(
    tmp_path: Path, family: str, pooling: Pooling, precision: Precision
) -> None:
    checkpoint = with_pooling(make(tmp_path, family), pooling)
    runtime, batch = native(checkpoint, precision), [*sentences(40, MAX_TOKENS), [7], [9] * MAX_TOKENS]
    ours, theirs = runtime.states(batch), ReferenceRuntime(checkpoint).states(batch)
    assert [each.shape for each in ours] == [(len(ids), checkpoint.dimension) for ids in batch]
    assert lowest_cosine(np.concatenate(ours), np.concatenate(theirs)) > BOUNDS[precision]
    if precision == "float32":
        np.testing.assert_allclose(np.concatenate(ours), np.concatenate(theirs), atol=1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_first_state_is_the_vector_of_the_first_token(tmp_path: Path, precision: Precision) -> None:
    runtime, batch = native(with_pooling(make(tmp_path), "cls"), precision), sentences(40, MAX_TOKENS)
    firsts = np.stack([states[0] for states in runtime.states(batch)])
    assert np.array_equal(firsts, runtime.encode(batch))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_widths_that_do_not_fill_a_panel_are_computed(
    tmp_path: Path, shape: tuple[int, int, int], precision: Precision
) -> None:
    checkpoint = with_pooling(make(tmp_path, shape=shape), "mean")
    batch = sentences(30, MAX_TOKENS)
    ours, theirs = native(checkpoint, precision).encode(batch), ReferenceRuntime(checkpoint).encode(batch)
    assert lowest_cosine(ours, theirs) > BOUNDS[precision]


@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
def test_other_activations_are_computed(tmp_path: Path, activation: str) -> None:
    checkpoint = with_pooling(make(tmp_path, hidden_act=activation), "mean")
    batch = sentences(20, 30)
    np.testing.assert_allclose(native(checkpoint).encode(batch), ReferenceRuntime(checkpoint).encode(batch), atol=1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_sentence_has_the_same_bits_whatever_its_batch_mates(
    tmp_path: Path, pooling: Pooling, precision: Precision
) -> None:
    runtime = native(with_pooling(make(tmp_path), pooling), precision)
    batch = sentences(70, MAX_TOKENS, seed=1)
    together = runtime.encode(batch)
    backwards = runtime.encode(batch[::-1])[::-1]
    alone = np.concatenate([runtime.encode([ids]) for ids in batch])
    assert np.array_equal(together, backwards)
    assert np.array_equal(together, alone)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_edges_of_a_batch_are_computed(tmp_path: Path, precision: Precision) -> None:
    checkpoint = with_pooling(make(tmp_path), "mean")
    runtime, reference = native(checkpoint, precision), ReferenceRuntime(checkpoint)
    one, longest = [[7]], [list(range(5, 5 + 20)) * 4 + list(range(5, 15))]
    assert len(longest[0]) == MAX_TOKENS
    for batch in (one, longest, [*one, *longest, *one]):
        assert lowest_cosine(runtime.encode(batch), reference.encode(batch)) > BOUNDS[precision]
    thousand = runtime.encode([[5, 9, 12, 6]] * 1000)
    assert np.array_equal(thousand, np.repeat(thousand[:1], 1000, axis=0))


def test_every_length_up_to_the_longest_is_computed(tmp_path: Path) -> None:
    checkpoint = with_pooling(make(tmp_path, "mpnet"), "mean")
    random = np.random.default_rng(2)
    batch = [random.integers(5, len(vocabulary()), length).tolist() for length in range(1, MAX_TOKENS + 1)]
    np.testing.assert_allclose(native(checkpoint).encode(batch), ReferenceRuntime(checkpoint).encode(batch), atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_the_number_of_threads_changes_no_bit(tmp_path: Path, threads: int) -> None:
    checkpoint = with_pooling(make(tmp_path), "mean")
    batch = sentences(100, 40)
    assert np.array_equal(
        native(checkpoint, threads=threads).encode(batch), native(checkpoint, threads=1).encode(batch)
    )


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([], "empty"),
        ([[5], []], "no token"),
        ([[5, 10**6]], "token ids"),
        ([[-1, 5]], "token ids"),
        ([[5] * (MAX_TOKENS + 1)], "takes 90"),
    ],
)
def test_what_would_read_foreign_memory_is_refused(tmp_path: Path, batch: list[list[int]], message: str) -> None:
    runtime = native(with_pooling(make(tmp_path), "mean"))
    for call in (runtime.encode, runtime.states):
        with pytest.raises(ValueError, match=message):
            call(batch)


@pytest.mark.parametrize(
    ("family", "shape", "message"),
    [("modernbert", (32, 2, 64), "not those of BERT"), ("bert", (48, 6, 64), "multiple of 16")],
)
def test_what_the_kernels_do_not_compute_is_named(
    tmp_path: Path, family: str, shape: tuple[int, int, int], message: str
) -> None:
    special = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    checkpoint = make(tmp_path, family, shape, **(special if family == "modernbert" else {}))
    with pytest.raises(UnsupportedArchitecture, match=message):
        native(checkpoint)


def test_chunks_hold_every_sentence_once_and_at_most_one_more_than_their_tokens() -> None:
    batch = sentences(300, 60)
    packed = pack(batch, threads=2)
    assert sorted(packed.order.tolist()) == list(range(300))
    for start, end in zip(packed.chunks[:-1], packed.chunks[1:], strict=True):
        lengths = [len(batch[row]) for row in packed.order[start:end]]
        assert lengths
        assert sum(lengths) <= CHUNK_TOKENS + max(lengths)


def test_every_thread_gets_as_many_chunks() -> None:
    packed = pack([[5] * 32] * 16, threads=2)  # 256 tokens a thread are more than one chunk holds
    assert packed.chunks.tolist() == [0, 4, 8, 12, 16]


@pytest.mark.parametrize(
    ("lengths", "threads", "expected"),
    [
        ([31, 31, 30, 29], 2, [62, 59]),
        ([30] * 10, 2, [150, 150]),
        ([8, 8, 8], 2, [16, 8]),
        ([5], 4, [5]),
        ([256, 256], 2, [256, 256]),
        ([30] * 32, 16, [60] * 16),
    ],
)
def test_threads_get_nearly_equally_many_tokens(lengths: list[int], threads: int, expected: list[int]) -> None:
    packed = pack([[5] * length for length in lengths], threads)
    tokens = [lengths[row] for row in packed.order]
    chunks = zip(packed.chunks[:-1], packed.chunks[1:], strict=True)
    assert [sum(tokens[start:end]) for start, end in chunks] == expected


def test_a_sentence_longer_than_a_chunk_is_a_chunk_of_its_own() -> None:
    packed = pack([[5] * 10, [5] * (CHUNK_TOKENS + 1), [5] * 10], threads=1)
    assert packed.chunks.tolist() == [0, 1, 3]
    assert packed.order[0] == 1
