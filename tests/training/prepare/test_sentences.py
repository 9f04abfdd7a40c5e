import pytest

from training.prepare.sentences import Cleaner, split_sentences


def cleaner(*, documents: bool = False, deduplicate: bool = False) -> Cleaner:
    return Cleaner(min_words=2, max_words=6, documents=documents, deduplicate=deduplicate)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("A dog runs. A cat sits.", ["A dog runs.", "A cat sits."]),
        ("Who is it? It is I! Come in.", ["Who is it?", "It is I!", "Come in."]),
        ("He said “Go.” Then he left.", ["He said “Go.”", "Then he left."]),
        ("It began in 1990. 12 people came.", ["It began in 1990.", "12 people came."]),
        ("Dr. Smith met J. R. Jones in St. Louis.", ["Dr. Smith met J. R. Jones in St. Louis."]),
        ("The U.S. Army has 3.5 million.", ["The U.S. Army has 3.5 million."]),
        ("They sell pens, etc. and paper.", ["They sell pens, etc. and paper."]),
        ("Él vino. Élan vital.", ["Él vino.", "Élan vital."]),
        ("No end", ["No end"]),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, sentences: list[str]) -> None:
    assert list(split_sentences(text)) == sentences


def test_white_space_is_collapsed() -> None:
    assert list(cleaner().sentences(" A\tdog \u2028 runs .\u00a0\n")) == ["A dog runs ."]


def test_what_is_dropped_is_counted_by_reason() -> None:
    clean = cleaner(deduplicate=True)
    lines = ["", "  \n", "One", "a b c d e f g", "- . -", '<doc id="1" url="x" title="A b c">', "</doc>", "A b", "A  b"]
    assert [sentence for line in lines for sentence in clean.sentences(line)] == ["A b"]
    assert clean.dropped == {
        "empty": 2,
        "fewer than 2 words": 1,
        "more than 6 words": 1,
        "no letters or digits": 1,
        "markup": 2,
        "repeated": 1,
    }


def test_repeated_sentences_stay_unless_they_are_unwanted() -> None:
    clean = cleaner()
    assert [*clean.sentences("A b"), *clean.sentences("A b")] == ["A b", "A b"]


def test_a_document_is_split_and_its_sentences_cleaned_one_by_one() -> None:
    clean = cleaner(documents=True)
    assert list(clean.sentences("A dog runs. Stop. A cat sits.")) == ["A dog runs.", "A cat sits."]
    assert clean.dropped == {"fewer than 2 words": 1}
    assert list(cleaner().sentences("A dog runs. Stop.")) == ["A dog runs. Stop."]
