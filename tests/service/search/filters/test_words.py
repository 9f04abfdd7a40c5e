"""Words of a text."""

from hypothesis import given
from hypothesis import strategies as st

from service.search.filters.words import words_of


def test_words_are_runs_of_letters_and_digits_in_lower_case() -> None:
    assert words_of("The Red-Wine, 2nd_edition: ÄRGER!") == ["the", "red", "wine", "2nd", "edition", "ärger"]
    assert words_of("…!?") == []


@given(st.text())
def test_words_of_words_are_themselves(text: str) -> None:
    assert words_of(" ".join(words_of(text))) == words_of(text)
