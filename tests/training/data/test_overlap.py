from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.captions import read_captions
from training.data.overlap import normalized


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A man's hat , in  the_snow .", "a man s hat in the snow"),
        ("A man's hat, in the snow", "a man s hat in the snow"),
        ("Straße  Nr. 5", "straße nr 5"),
        ("ﬁve caf\u0065\u0301s\u00a0１２", "five cafés 12"),
        (" ... !", ""),
    ],
)
def test_case_punctuation_spacing_and_width_make_no_other_sentence(text: str, expected: str) -> None:
    assert normalized(text) == expected


@given(st.text())
def test_what_is_normalised_holds_letters_digits_and_single_spaces_alone(text: str) -> None:
    found = normalized(text)
    assert found == " ".join(found.split())
    assert all(character.isalnum() or character == " " for character in found)


@pytest.mark.data
def test_most_sentences_of_the_real_sts15_images_are_captions_of_flickr8k(data: Path) -> None:
    folder = data / "sts" / "STS15-en-test"
    lines, gold = ((folder / f"STS.{kind}.images.txt").read_text().split("\n") for kind in ("input", "gs"))
    scored = [line for line, score in zip(lines, gold, strict=True) if score.strip()]
    sentences = [normalized(sentence) for line in scored for sentence in line.split("\t")[:2]]
    captions = read_captions(data / "flickr8k" / "Flickr8k.token.txt")
    known = {normalized(text) for texts in captions.values() for text in texts}
    assert len(sentences) == 1_500
    assert sum(sentence in known for sentence in sentences) == 1_452
