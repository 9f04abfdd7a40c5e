"""Names of collections and aliases, and choices."""

import pytest

from service.errors import InvalidInput
from service.search.names import check_choice, check_name


@pytest.mark.parametrize("name", ["a", "0", "A.b_c-d", "x" * 128, "1..2"])
def test_names_of_letters_digits_and_three_signs_pass(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "-a", "_a", "a b", "a/b", "a\\b", "a\n", "é", "x" * 129, "a\0", "a%2f"]
)
def test_other_names_are_refused_and_not_repeated(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check_name(name)
    assert refusal.value.message == (
        "The collection's name breaks the rule: 1 to 128 of A-Z a-z 0-9 . _ - with a letter or digit first."
    )


def test_a_choice_that_there_is_passes_and_another_is_answered_with_all_there_are() -> None:
    check_choice("metric", "dot", ("cosine", "dot"))
    with pytest.raises(InvalidInput, match="There is no such metric; expected one of: cosine, dot") as refusal:
        check_choice("metric", "secret", ("cosine", "dot"))
    assert "secret" not in refusal.value.message
