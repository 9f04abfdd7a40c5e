from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from models import CheckpointError, TextError, TextTokenizer


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> TextTokenizer:
    return TextTokenizer.from_directory(tiny_base, max_tokens=6)


def test_ids_are_those_of_transformers_cut_at_the_same_place(tiny_base: Path, tokenizer: TextTokenizer) -> None:
    reference = AutoTokenizer.from_pretrained(tiny_base)
    texts = ["a dog runs", "The big red dog plays with the ball", "xyz"]
    ours = [tokenized.ids for tokenized in tokenizer.encode(texts)]
    assert ours == reference(texts, truncation=True, max_length=6)["input_ids"]


@pytest.mark.parametrize(("words", "dropped"), [(3, 0), (4, 0), (5, 1), (10, 6)])
def test_dropped_counts_the_tokens_that_were_cut(tokenizer: TextTokenizer, words: int, dropped: int) -> None:
    (tokenized,) = tokenizer.encode([" ".join(["dog"] * words)])
    assert tokenized.dropped == dropped
    assert len(tokenized.ids) == min(words, 4) + 2


@pytest.mark.parametrize("nothing", ["", " ", "\n", "\t \r", "\0", "\u200b", "\ufeff"], ids=ascii)
def test_a_text_without_content_is_refused_with_its_position(tokenizer: TextTokenizer, nothing: str) -> None:
    with pytest.raises(TextError, match="no content") as error:
        tokenizer.encode(["a dog", nothing])
    assert error.value.index == 1


def test_half_a_surrogate_pair_is_refused_with_its_position(tokenizer: TextTokenizer) -> None:
    with pytest.raises(TextError, match="Unicode") as error:
        tokenizer.encode(["a", "b", "c \ud800"])
    assert error.value.index == 2


def test_many_threads_share_one_tokenizer(tokenizer: TextTokenizer) -> None:
    texts = [f"the dog {'runs ' * n}" for n in range(1, 40)]
    expected = [tokenizer.encode([text])[0].ids for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert [t.ids for t in pool.map(lambda text: tokenizer.encode([text])[0], texts)] == expected


def test_a_directory_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        TextTokenizer.from_directory(tmp_path, max_tokens=8)
