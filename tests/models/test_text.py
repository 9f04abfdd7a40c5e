from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from models import CheckpointError, TextError, TextTokenizer
from models.config import Direction


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


def test_cut_at_the_left_the_end_of_a_text_stays(tiny_base: Path, tokenizer: TextTokenizer) -> None:
    reference = AutoTokenizer.from_pretrained(tiny_base, truncation_side="left")
    texts = ["a dog runs", "The big red dog plays with the ball"]
    left = tokenizer.encode(texts, direction="left")
    assert [each.ids for each in left] == reference(texts, truncation=True, max_length=6)["input_ids"]
    assert [each.dropped for each in left] == [each.dropped for each in tokenizer.encode(texts)]


@pytest.mark.parametrize("direction", ["right", "left"])
@pytest.mark.parametrize("special", [True, False], ids=["with special tokens", "without"])
@pytest.mark.parametrize("text", ["dog", "a dog runs", "The big red dog plays with the ball"])
def test_its_own_ids_are_framed_and_cut_as_their_text(
    tokenizer: TextTokenizer, text: str, special: bool, direction: Direction
) -> None:
    ids = [token.id for token in tokenizer.tokens([text], special=special)[0]]
    assert tokenizer.frame([ids], direction=direction) == tokenizer.encode([text], direction=direction)


@pytest.mark.parametrize(
    ("ids", "told"), [([], "no token ids"), ([2, 3], "no token ids"), ([-1], "from 0"), ([10**6], "from 0")]
)
def test_ids_that_are_none_of_its_own_are_refused_with_their_position(
    tokenizer: TextTokenizer, ids: list[int], told: str
) -> None:
    with pytest.raises(TextError, match=told) as error:
        tokenizer.frame([[7], ids])
    assert error.value.index == 1


def test_tokens_say_where_they_stand_in_their_text(tokenizer: TextTokenizer) -> None:
    text = "The ünïque dog"
    (tokens,) = tokenizer.tokens([text], special=True)
    assert (tokens[0].text, tokens[-1].text) == ("[CLS]", "[SEP]")
    assert all(token.special and token.start is None and token.stop is None for token in (tokens[0], tokens[-1]))
    inner = tokens[1:-1]
    assert [token.text for token in inner] == [text[token.start : token.stop] for token in inner]
    assert (inner[-1].text, inner[-1].start, inner[-1].stop) == ("dog", 11, 14)
    assert [token.id for token in tokenizer.tokens([text], special=False)[0]] == [token.id for token in inner]


def test_tokens_are_not_cut(tokenizer: TextTokenizer) -> None:
    assert len(tokenizer.tokens(["dog " * 30], special=True)[0]) == 32


def test_ids_become_text_again_with_their_special_tokens_or_without(tokenizer: TextTokenizer) -> None:
    ids = [[token.id for token in tokenizer.tokens(["a dog runs"], special=True)[0]]]
    assert tokenizer.decode(ids, skip_special=True) == ["a dog runs"]
    assert tokenizer.decode(ids, skip_special=False) == ["[CLS] a dog runs [SEP]"]


def test_ids_outside_of_the_vocabulary_have_no_text(tokenizer: TextTokenizer) -> None:
    with pytest.raises(TextError, match="token ids are not all from 0") as error:
        tokenizer.decode([[7], [7, tokenizer.vocabulary_size]], skip_special=True)
    assert error.value.index == 1
