from pathlib import Path

import pytest

from models.bench.sentences import draw_sentences, read_lines
from models.bench.stream import Stream
from models.errors import TextError
from models.loader import load


@pytest.fixture
def stream(tiny_bundle: Path) -> Stream:
    return Stream.of(["a dog", "the cat sits on the mat", "two people in a street"], 7, load(tiny_bundle).tokenizer)


def test_few_texts_are_taken_again(stream: Stream) -> None:
    assert stream.texts[:3] == stream.texts[3:6]
    assert len(stream.ids) == 7


def test_batches_hold_every_sentence_once_by_length_under_the_budget(stream: Stream) -> None:
    batches = list(stream.batches(16))
    sizes = [len(ids) for batch in batches for ids in batch]
    assert sizes == sorted(stream.lengths)
    assert all(sum(map(len, batch)) <= 16 for batch in batches)


def test_a_sentence_longer_than_the_budget_is_a_batch_of_its_own(stream: Stream) -> None:
    assert [len(batch) for batch in stream.batches(1)] == [1] * 7


@pytest.mark.parametrize("tokens", [1, 2, 3, 8, 200])
def test_sequences_have_exactly_the_asked_length(stream: Stream, tokens: int) -> None:
    made = stream.of_length(tokens, 3)
    assert [len(ids) for ids in made] == [tokens] * 3
    if tokens >= 3:
        assert {(ids[0], ids[-1]) for ids in made} == {(stream.ids[0][0], stream.ids[0][-1])}
        assert made[0] != made[1]


def test_drawn_sentences_follow_from_the_seed_and_differ_in_length() -> None:
    drawn = draw_sentences(500, seed=1)
    assert drawn == draw_sentences(500, seed=1) != draw_sentences(500, seed=2)
    words = sorted(sentence.count(" ") + 1 for sentence in drawn)
    assert words[0] <= 6
    assert 16 <= words[250] <= 20
    assert words[-1] >= 45


def test_a_file_gives_its_lines_without_the_empty_ones(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one\n\n  two  \n", encoding="utf-8")
    assert read_lines(tmp_path / "in.txt") == ["one", "two"]


def test_a_file_without_sentences_or_of_other_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TextError, match="no sentences in it"):
        read_lines(tmp_path / "empty.txt")
    with pytest.raises(TextError, match="not UTF-8"):
        read_lines(tmp_path / "bytes.txt")
