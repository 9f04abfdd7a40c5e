from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.access import keyring, watched
from service.access.keyring import KeyRing
from service.errors import SettingsError

ONE, TWO, THREE = "one-0123456789ab", "two-0123456789ab", "three-0123456789"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write the file of keys, which is looked at whenever it is asked for."""
    monkeypatch.setattr(watched, "LOOK_EVERY_S", 0)

    def write(text: str) -> Path:
        path = tmp_path / "keys"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    return write


def is_known(ring: KeyRing, secret: str) -> bool:
    return ring.keys().find(secret.encode()) is not None


def test_keys_of_both_places_are_known(file: Callable[[str], Path]) -> None:
    ring = KeyRing(f"read:a:{ONE}", file(f"admin:b:{TWO}\n"))
    assert is_known(ring, ONE)
    assert is_known(ring, TWO)
    assert not is_known(ring, THREE)


def test_a_changed_file_holds_at_once(file: Callable[[str], Path]) -> None:
    ring = KeyRing(f"read:a:{ONE}", file(f"admin:b:{TWO}\n"))
    with capture_logs() as lines:
        file(f"\ufeff# new\nadmin:b:{THREE}\n")
        assert [is_known(ring, secret) for secret in (ONE, TWO, THREE)] == [True, False, True]
    assert lines == [{"event": "keys", "log_level": "info", "keys": ["read:a", "admin:b"]}]


def test_an_empty_file_lets_nobody_in(file: Callable[[str], Path]) -> None:
    ring = KeyRing(None, file("# none yet\n"))
    assert not is_known(ring, ONE)
    file(f"read:a:{ONE}")
    assert is_known(ring, ONE)
    file("")
    assert not is_known(ring, ONE)


@pytest.mark.parametrize("broken", [f"read:a:{THREE}\nread:b:short\n", f"{THREE}", f"read:c:{ONE}", None])
def test_a_file_that_breaks_keeps_the_keys_and_is_told_once(file: Callable[[str], Path], broken: str | None) -> None:
    path = file(f"admin:b:{TWO}\n")
    ring = KeyRing(f"read:a:{ONE}", path)
    with capture_logs() as lines:
        path.unlink() if broken is None else file(broken)
        for _ in range(3):
            assert [is_known(ring, secret) for secret in (ONE, TWO, THREE)] == [True, True, False]
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("keys_not_reloaded", "error")
    assert line["kept"] == ["read:a", "admin:b"]
    assert not any(secret in str(line) for secret in (ONE, TWO, THREE, "short"))
    file(f"admin:b:{THREE}")
    assert is_known(ring, THREE)


def test_a_file_that_cannot_be_used_does_not_start(file: Callable[[str], Path], tmp_path: Path) -> None:
    for path, told in (
        (tmp_path / "nothing", "cannot be read"),
        (tmp_path, "cannot be read"),
        (file(f"{ONE}"), "line 1 is not ROLE:NAME:KEY"),
    ):
        with pytest.raises(SettingsError, match=f"Setting MCSE_API_KEYS_FILE: .*{told}") as caught:
            KeyRing(None, path)
        assert ONE not in str(caught.value)


def test_a_file_that_is_no_text_or_too_long_does_not_start(
    file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file("")
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="not UTF-8"):
        KeyRing(None, path)
    monkeypatch.setattr(keyring, "MOST_BYTES", 10)
    with pytest.raises(SettingsError, match="over 10 bytes"):
        KeyRing(None, file("#" * 11))


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_can_read_is_warned_of(file: Callable[[str], Path], mode: int, warned: bool) -> None:
    path = file(f"read:a:{ONE}")
    path.chmod(mode)
    with capture_logs() as lines:
        KeyRing(None, path)
    told = [line for line in lines if line["event"] == "keys_file_readable"]
    assert [line["log_level"] for line in told] == ["warning"] * warned
