"""Texts in, vectors, cosines and hits out, without a server."""

import shutil
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import CheckpointError, Embedder, TextError, TruncationWarning
from models.manifest import write_manifest
from models.prompts import FILE

ROOT = Path(__file__).parents[2]
TEXTS = ["a dog runs", "the big red dog plays with the ball in the snow", "two people", "a cat"]
LONG = "dog " * 50


@pytest.fixture(scope="module")
def embedder(tiny_bundle: Path) -> Embedder:
    return Embedder(tiny_bundle, precision="float32", threads=1)


@pytest.fixture(scope="module")
def prompted(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """With prompts for queries and documents, and one that stands before everything else."""
    directory = tmp_path_factory.mktemp("models") / "prompted"
    shutil.copytree(tiny_bundle, directory)
    prompts = '{"query": "red ", "document": "blue ", "title": "green "}'
    (directory / FILE).write_text(f'{{"prompts": {prompts}, "default_prompt_name": "title"}}')
    write_manifest(directory)
    return Embedder(directory, precision="float32", threads=1)


def test_one_text_is_a_vector_and_a_list_is_a_matrix(embedder: Embedder) -> None:
    matrix = embedder.encode(TEXTS)
    assert matrix.shape == (4, 32)
    assert matrix.dtype == np.float32
    assert np.array_equal(embedder.encode(TEXTS[1]), matrix[1])
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-6)
    assert embedder.encode(np.array(TEXTS)).shape == (4, 32)


def test_no_texts_are_no_rows(embedder: Embedder) -> None:
    assert embedder.encode([]).shape == (0, 32)
    assert embedder.encode([], quantization="binary").dtype == np.int8


def test_the_size_of_batches_changes_nothing(embedder: Embedder, capsys: pytest.CaptureFixture[str]) -> None:
    texts = TEXTS * 25
    one = embedder.encode(texts)
    for batch_size in (1, 7, 99):
        np.testing.assert_allclose(embedder.encode(texts, batch_size=batch_size), one, atol=1e-6)
    embedder.encode(texts, batch_size=30, show_progress_bar=True)
    assert "encoding" in capsys.readouterr().err


def test_options_are_those_of_the_service(embedder: Embedder) -> None:
    whole = embedder.encode(TEXTS, normalize=False)
    cut = whole[:, :5] / np.linalg.norm(whole[:, :5], axis=1, keepdims=True)
    np.testing.assert_allclose(embedder.encode(TEXTS, dimensions=5), cut, atol=1e-6)
    assert embedder.encode(TEXTS, space="grounded").shape == (4, 8)
    assert embedder.encode(TEXTS, quantization="int8").dtype == np.int8
    assert embedder.encode(TEXTS[0], quantization="ubinary", dimensions=12).shape == (2,)


def test_a_cut_is_told_of(embedder: Embedder) -> None:
    with pytest.warns(TruncationWarning, match="1 of 3 texts are longer than the 20 tokens") as caught:
        embedder.encode(["a dog", LONG, "a cat"])
    assert caught[0].filename == __file__
    with pytest.warns(TruncationWarning) as caught:
        embedder.encode_query(LONG)
    assert caught[0].filename == __file__


def test_details_tell_of_each_text_what_was_read_and_what_was_cut(embedder: Embedder) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = embedder.encode_with_details(["a dog", LONG])
    assert (found.tokens, found.dropped) == ([4, 20], [0, 32])
    assert embedder.encode_with_details("a dog").vectors.shape == (1, 32)


def test_a_text_that_may_not_be_cut_is_refused_with_its_position(embedder: Embedder) -> None:
    with pytest.raises(TextError, match="position 2 has 52 tokens; the model takes 20") as caught:
        embedder.encode(["a dog", "a cat", LONG], truncate=False, batch_size=2)
    assert caught.value.index == 2
    assert embedder.encode(["a dog"], truncate=False).shape == (1, 32)


@pytest.mark.parametrize("bad", ["", "  ", "half a \ud800 pair"], ids=["empty", "spaces", "surrogate"])
def test_a_text_that_cannot_be_embedded_is_refused_with_its_position(embedder: Embedder, bad: str) -> None:
    with pytest.raises(TextError, match="position 3 cannot be embedded") as caught:
        embedder.encode(["a dog", "a cat", "a dog", bad], batch_size=3)
    assert caught.value.index == 3


@pytest.mark.parametrize("texts", [[b"a dog"], ["a", None], [["a", "b"]], [1.0]])
def test_what_is_no_text_is_refused(embedder: Embedder, texts: Any) -> None:
    with pytest.raises(TypeError, match="a text is a str"):
        embedder.encode(texts)


def test_prompts_stand_before_texts(prompted: Embedder) -> None:
    plain = prompted.encode(["red a dog", "blue a dog", "green a dog", "big a dog"], prompt="")
    assert np.array_equal(prompted.encode_query("a dog"), plain[0])
    assert np.array_equal(prompted.encode_document("a dog"), plain[1])
    assert np.array_equal(prompted.encode("a dog"), plain[2])
    assert np.array_equal(prompted.encode("a dog", prompt_name="query"), plain[0])
    assert np.array_equal(prompted.encode("a dog", prompt="big "), plain[3])
    with pytest.raises(ValueError, match="`document`, `query`, `title`"):
        prompted.encode("a dog", prompt_name="none")


def test_similarity_is_the_cosine(embedder: Embedder) -> None:
    vectors = embedder.encode(TEXTS)
    np.testing.assert_allclose(embedder.similarity(TEXTS, TEXTS[:3]), vectors @ vectors[:3].T, atol=1e-6)
    found = embedder.similarity(TEXTS[0], TEXTS[1])
    assert isinstance(found, float)
    assert found == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-6)


def test_texts_and_vectors_mix_and_one_of_them_has_no_axis(embedder: Embedder) -> None:
    vectors = embedder.encode(TEXTS, normalize=False)
    expected = embedder.similarity(TEXTS, TEXTS)
    np.testing.assert_allclose(embedder.similarity(vectors, TEXTS), expected, atol=1e-6)
    np.testing.assert_allclose(embedder.similarity(TEXTS[0], vectors), expected[0], atol=1e-6)
    np.testing.assert_allclose(embedder.similarity(np.array(TEXTS), vectors[2]), expected[:, 2], atol=1e-6)
    assert isinstance(embedder.similarity(vectors[0], vectors[1]), float)
    assert embedder.similarity(TEXTS[:1], TEXTS[:1]).shape == (1, 1)
    assert embedder.similarity("a dog", "two people", space="grounded") != expected[0, 2]


def test_token_states_are_what_pooling_reads(embedder: Embedder) -> None:
    states = embedder.token_states(TEXTS)
    assert [len(each) for each in states] == embedder.encode_with_details(TEXTS).tokens
    pooled = np.stack([each.mean(axis=0) for each in states])
    np.testing.assert_allclose(pooled, embedder.encode(TEXTS, normalize=False), atol=1e-5)
    assert embedder.token_states([]) == []


def test_search_finds_the_nearest_sentences(embedder: Embedder) -> None:
    embedder.build_index(TEXTS)
    hits = embedder.search(TEXTS[1], top_k=2)
    assert hits[0][0] == TEXTS[1]
    assert hits[0][1] == pytest.approx(1, abs=1e-6)
    assert [len(each) for each in embedder.search(TEXTS, top_k=3)] == [3] * 4
    assert embedder.search(TEXTS[1], threshold=0.9999) == hits[:1]
    embedder.add_to_index(["two women", "a man"])
    assert embedder.search("two women", top_k=1)[0][0] == "two women"
    assert len(embedder.search("two women", top_k=100)) == 6


def test_an_index_is_of_a_space_and_of_prompts(prompted: Embedder) -> None:
    prompted.build_index(["a dog", "a cat"], space="grounded")
    score = dict(prompted.search("a dog"))["a cat"]
    expected = prompted.encode_query("a dog", space="grounded") @ prompted.encode_document("a cat", space="grounded")
    assert score == pytest.approx(float(expected), abs=1e-6)


def test_an_index_is_made_from_a_file_and_kept_in_one(embedder: Embedder, prompted: Embedder, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_bytes(b"\xef\xbb\xbfa dog runs\r\n\r\n  \ntwo people\n")
    embedder.build_index(str(tmp_path / "lines.txt"))
    embedder.add_to_index(tmp_path / "lines.txt")
    assert [sentence for sentence, _ in embedder.search("a dog runs")] == ["a dog runs"] * 2 + ["two people"] * 2
    embedder.save_index(tmp_path / "index")
    hits = embedder.search(TEXTS)
    embedder.build_index([])
    assert embedder.search("a dog") == []
    embedder.load_index(str(tmp_path / "index"))
    assert embedder.search(TEXTS) == hits


def test_the_index_of_another_model_is_refused(embedder: Embedder, tmp_path: Path, tiny_base: Path) -> None:
    embedder.build_index(TEXTS)
    embedder.save_index(tmp_path / "index")
    with pytest.raises(CheckpointError, match="another model"):
        Embedder(tiny_base, threads=1).load_index(tmp_path / "index")


def test_without_an_index_there_is_nothing_to_search(tiny_bundle: Path) -> None:
    fresh = Embedder(tiny_bundle, threads=1)
    for call in (lambda: fresh.search("a dog"), lambda: fresh.add_to_index(["a"]), lambda: fresh.save_index("x")):
        with pytest.raises(LookupError, match="build_index"):
            call()


def test_threads_share_it(embedder: Embedder) -> None:
    texts = [f"{text} {'big ' * (number % 5)}" for number, text in enumerate(TEXTS * 10)]
    expected = embedder.encode(texts)
    found: dict[int, Any] = {}
    embedder.build_index([])

    def work(number: int) -> None:
        found[number] = embedder.encode(texts, batch_size=3 + number)
        embedder.add_to_index([f"sentence {number}"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for vectors in found.values():
        np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert len(found) == 6
    assert len(embedder.search("sentence", top_k=10)) == 6


def test_the_shipped_checkpoint_needs_no_torch() -> None:
    code = "import sys; from models import Embedder; Embedder().encode('a dog'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
