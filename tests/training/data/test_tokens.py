import os
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.text import TextTokenizer
from training.data import tokens as module
from training.data.tokens import Examples, TokenStore, cached_tokens, tokenized
from training.errors import DataError

TEXTS = ["a red dog", "the man runs in the snow", "cat"]


@pytest.fixture
def tokenizer(tiny_base: Path) -> TextTokenizer:
    return TextTokenizer.from_directory(tiny_base, max_tokens=6)


def by_hand(tokenizer: TextTokenizer, texts: list[str]) -> list[list[int]]:
    return [text.ids for text in tokenizer.encode(texts)]


def rows(store: TokenStore, column: int = 0) -> list[list[int]]:
    return [row.tolist() for row in store.column(np.arange(len(store)), column)]


def test_every_sentence_keeps_its_ids_cut_at_the_training_length(tokenizer: TextTokenizer) -> None:
    store = tokenized(TEXTS, tokenizer, name="captions")
    assert rows(store) == by_hand(tokenizer, TEXTS)
    assert max(len(row) for row in rows(store)) == 6


def test_a_text_without_content_is_told_with_its_number(tokenizer: TextTokenizer) -> None:
    with pytest.raises(DataError, match=r"captions, line 3: the text has no content.*Remove it"):
        tokenized(["a dog", "cat", "\u200b"], tokenizer, name="captions")


def examples(texts: Sequence[tuple[str, ...]], opened: list[int]) -> Examples:
    opened.append(1)
    return enumerate(texts, start=1)


def test_a_file_is_tokenized_once_and_again_when_it_or_the_length_changes(
    tokenizer: TextTokenizer, tiny_base: Path, tmp_path: Path
) -> None:
    source, opened = tmp_path / "text.txt", list[int]()
    source.write_text("x")

    def stored(tokenizer: TextTokenizer, options: str = "") -> list[list[int]]:
        texts = [(text,) for text in TEXTS]
        read = lambda: examples(texts, opened)  # noqa: E731
        return rows(cached_tokens(read, tokenizer, source=source, options=options, cache=tmp_path / "cache"))

    assert stored(tokenizer) == stored(tokenizer) == by_hand(tokenizer, TEXTS)
    assert len(opened) == 1
    longer = TextTokenizer.from_directory(tiny_base, max_tokens=20)
    assert stored(longer) == by_hand(longer, TEXTS)
    stored(tokenizer, options="another column")
    os.utime(source, ns=(1, 1))
    stored(tokenizer)
    assert len(opened) == 4


def test_examples_of_three_sentences_keep_their_columns(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    texts = [("a dog", "the dog", "a cat"), ("snow", "the snow", "grass")]
    (tmp_path / "t.csv").write_text("x")
    store = cached_tokens(
        lambda: enumerate(texts, start=1), tokenizer, source=tmp_path / "t.csv", options="", cache=tmp_path
    )
    assert len(store) == 2
    for column in range(3):
        assert rows(store, column) == by_hand(tokenizer, [example[column] for example in texts])


def test_a_file_that_is_refused_leaves_nothing_in_the_cache(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    def broken() -> Examples:
        yield 1, ("a dog",)
        raise DataError("line 2: the line is empty")

    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(DataError, match="line 2"):
        cached_tokens(broken, tokenizer, source=tmp_path / "text.txt", options="", cache=tmp_path / "cache")
    assert list((tmp_path / "cache" / "tokens").iterdir()) == []


def test_a_missing_file_is_told(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.txt: cannot be read"):
        cached_tokens(list, tokenizer, source=tmp_path / "gone.txt", options="", cache=tmp_path)


def test_memory_does_not_grow_with_the_corpus(
    tokenizer: TextTokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK", 256)
    peaks = []
    for count in (2_000, 20_000):
        source = tmp_path / f"{count}.txt"
        source.write_text("x")
        texts = ((number, ("the man runs in the snow",)) for number in range(count))
        tracemalloc.start()
        store = cached_tokens(lambda texts=texts: texts, tokenizer, source=source, options="", cache=tmp_path)  # type: ignore[misc]
        store.column(np.arange(64), 0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert isinstance(store.ids, np.memmap)
    assert peaks[1] - peaks[0] < 18_000 * 40  # bytes a sentence while its lengths are gathered; its ids are on disk
