import hmac

import pytest

from service.access.keys import Keys, keys_in_lines, keys_in_list

GOOD = "s3cret-0123456789"


def test_a_list_and_a_file_hold_the_same_entries() -> None:
    listed = keys_in_list(f"read:app:{GOOD}, admin:me:{GOOD}x")
    assert [(key.role, key.name) for key in listed] == [("read", "app"), ("admin", "me")]
    assert keys_in_lines(f"# ours\n\n  read:app:{GOOD}  \r\nadmin:me:{GOOD}x\n") == listed


def test_a_key_may_hold_colons_and_signs_and_is_found_as_a_whole() -> None:
    good = "a:b#c=d/e+f-0123456789~!"
    keys = Keys(keys_in_lines(f"write:app:{good}"))
    found = keys.find(good.encode())
    assert found is not None
    assert found.role == "write"
    for other in (good[:-1], good + "x", "", good.upper()):
        assert keys.find(other.encode()) is None


def test_nobody_is_found_among_no_keys() -> None:
    assert Keys([]).find(GOOD.encode()) is None


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("", "entry 1 is not ROLE:NAME:KEY"),
        (GOOD, "entry 1 is not ROLE:NAME:KEY"),
        (f"owner:app:{GOOD}", "entry 1 is not ROLE:NAME:KEY with one of the roles read, write, admin"),
        (f"read::{GOOD}", "entry 1 is not"),
        (f"read:a b:{GOOD}", "entry 1 is not"),
        (f"read:{'n' * 65}:{GOOD}", "entry 1 is not"),
        ("read:app:" + "k" * 15, "16 or more ASCII characters"),
        (f"read:app:{GOOD} x", "16 or more ASCII characters"),
        (f"read:app:{GOOD}ä", "16 or more ASCII characters"),
        (f"read:a:{GOOD}x,read:app:short", "entry 2 has a key"),
        (f"read:a:{GOOD},write:b:{GOOD}", "the same key is there twice"),
    ],
)
def test_what_is_wrong_is_told_without_the_key(entry: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        keys_in_list(entry)
    assert GOOD not in str(caught.value)


@pytest.mark.parametrize(("length", "taken"), [(15, False), (16, True), (17, True)])
def test_the_least_length_holds_exactly(length: int, taken: bool) -> None:
    if taken:
        assert len(keys_in_list("read:app:" + "k" * length)) == 1
    else:
        with pytest.raises(ValueError, match="16 or more"):
            keys_in_list("read:app:" + "k" * length)


def test_every_key_is_compared_in_constant_time_wherever_the_right_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return a == b

    monkeypatch.setattr(hmac, "compare_digest", compare)
    keys = Keys(keys_in_list(",".join(f"read:app{n}:{GOOD}{n}" for n in range(5))))
    for sent in (f"{GOOD}0", f"{GOOD}4", "nobody"):
        compared.clear()
        keys.find(sent.encode())
        assert len(compared) == 5
        assert {len(a) for a, _ in compared} == {32} == {len(b) for _, b in compared}


def test_a_key_does_not_show_itself() -> None:
    (key,) = keys_in_list(f"read:app:{GOOD}")
    assert GOOD not in repr(key)
    assert key.digest.hex() not in repr(key)
    assert "digest" not in repr(key)
    assert Keys([key]).names() == ["read:app"]
