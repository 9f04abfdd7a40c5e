"""A checkpoint in this process: what it says of itself, and vectors of every form."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from models import CheckpointError, OptionError, ReferenceRuntime, load
from models.manifest import write_manifest
from models.prompts import FILE
from models.quantize import Quantization
from models.vectorizer import Vectorizer
from models.vectors import VectorForm

TEXTS = ["a dog runs", "the big red dog plays with the ball in the snow", "two people"]


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Vectorizer:
    return Vectorizer(tiny_bundle, precision="float32", threads=1)


def test_it_says_what_it_is(tiny: Vectorizer, tiny_bundle: Path) -> None:
    checkpoint = load(tiny_bundle)
    assert (tiny.name, tiny.fingerprint, tiny.max_tokens) == (checkpoint.name, checkpoint.fingerprint, 20)
    assert (tiny.dimension, tiny.grounded_dimension) == (32, 8)
    assert tiny.precision == "float32"
    assert tiny.runtime.endswith("float32")


def test_vectors_are_those_of_the_checkpoint(tiny: Vectorizer, tiny_bundle: Path) -> None:
    batch = tiny.tokenize(TEXTS)
    expected = ReferenceRuntime(load(tiny_bundle)).encode([text.ids for text in batch])
    np.testing.assert_allclose(tiny.encode_tokens(batch, VectorForm(normalize=False)), expected, atol=1e-5)
    cut = tiny.encode_tokens(batch, VectorForm(dimensions=5))
    np.testing.assert_allclose(np.linalg.norm(cut, axis=1), 1, atol=1e-6)
    grounded = tiny.encode_tokens(batch, VectorForm("grounded"))
    np.testing.assert_allclose(grounded, ReferenceRuntime(load(tiny_bundle)).ground(expected), atol=1e-5)


@pytest.mark.parametrize("quantization", ["int8", "uint8", "binary", "ubinary"])
@pytest.mark.parametrize("space", ["sentence", "grounded"])
def test_a_code_does_not_depend_on_what_is_beside_it(tiny: Vectorizer, quantization: Quantization, space: str) -> None:
    form = VectorForm("grounded" if space == "grounded" else "sentence", quantization=quantization)
    together = tiny.encode_tokens(tiny.tokenize(TEXTS), form)
    alone = [tiny.encode_tokens(tiny.tokenize([text]), form) for text in TEXTS]
    assert together.shape[1] == tiny.width_of(form)
    assert np.array_equal(together, np.concatenate(alone))


@pytest.mark.parametrize("dimensions", [0, -1, 33])
def test_a_width_that_the_model_has_not_is_refused(tiny: Vectorizer, dimensions: int) -> None:
    with pytest.raises(OptionError, match="between 1 and 32"):
        tiny.encode_tokens(tiny.tokenize(TEXTS), VectorForm(dimensions=dimensions))


def test_a_model_without_a_grounding_head_has_no_grounded_space(tiny_base: Path) -> None:
    plain = Vectorizer(tiny_base, threads=1)
    assert plain.grounded_dimension is None
    with pytest.raises(OptionError, match="no grounding head"):
        plain.width_of(VectorForm("grounded"))


def test_what_is_no_number_is_no_vector(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Vectorizer(tiny_bundle, threads=1)
    monkeypatch.setattr(broken._runtime, "encode", lambda batch: np.full((len(batch), 32), np.nan, np.float32))
    with pytest.raises(ArithmeticError, match="not finite"):
        broken.encode_tokens(broken.tokenize(TEXTS), VectorForm())


def test_prompts_are_those_of_the_checkpoint(tiny_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "prompted")
    (tmp_path / "prompted" / FILE).write_text('{"prompts": {"query": "the ", "passage": "a "}}')
    write_manifest(tmp_path / "prompted")
    prompted = Vectorizer(tmp_path / "prompted", threads=1)
    assert prompted.prompts == {"query": "the ", "passage": "a "}
    assert (prompted.prompt_for("query"), prompted.prompt_for("document"), prompted.prompt_text(None)) == (
        "the ",
        "a ",
        "",
    )
    with pytest.raises(OptionError, match="`passage`, `query`"):
        prompted.prompt_text("title")


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(CheckpointError, match="there is no such directory"):
        Vectorizer("./no/such/model")
