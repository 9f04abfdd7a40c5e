"""Names of fields."""

import pytest

from service.search.filters.paths import MOST_PATH_CHARS, Step, canonical, joined, steps


@pytest.mark.parametrize(
    ("path", "same"),
    [
        ("a", "a"),
        ("a.b-c_d", "a.b-c_d"),
        ("tags[]", "tags"),
        ("a[].b", "a[].b"),
        ("a[].b[]", "a[].b"),
        ("a[][]", "a[][]"),
        ('"a"."b.c"', 'a."b.c"'),
        ("größe", "größe"),
        ("first name", '"first name"'),
        ('"x[]"[].y', '"x[]"[].y'),
        ("a" * MOST_PATH_CHARS, "a" * MOST_PATH_CHARS),
    ],
)
def test_a_path_has_one_way_to_be_written(path: str, same: str) -> None:
    assert canonical(path) == same
    assert canonical(same) == same


@pytest.mark.parametrize(
    "path",
    ["", ".", "a.", ".a", "a..b", "[]", "a[0]", "a[", "a]", "a[]b", '"a', 'a"b', '""', "a" * (MOST_PATH_CHARS + 1)],
)
def test_what_is_no_path_is_none(path: str) -> None:
    assert canonical(path) is None


def test_steps_say_how_many_arrays_are_behind_a_key() -> None:
    assert steps('a[][]."b c".d') == (Step("a", 2), Step("b c", 0), Step("d", 0))


def test_a_key_with_a_dot_is_another_field_than_two_keys() -> None:
    assert joined("", "a.b") == '"a.b"'
    assert joined("a", "b") == "a.b"
    assert joined("a[]", "b[]") == 'a[]."b[]"'


def test_keys_that_no_filter_can_name_have_no_path() -> None:
    assert joined("", 'a"b') is None
    assert joined("a" * MOST_PATH_CHARS, "b") is None
