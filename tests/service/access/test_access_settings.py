import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service import protocol
from service.errors import SettingsError
from service.settings import Settings, load_settings

GOOD = "s3cret-0123456789"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("MCSE_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"api_keys": GOOD}, "Setting MCSE_API_KEYS: entry 1 is not ROLE:NAME:KEY"),
        ({"tls_cert": "a.pem"}, "Setting MCSE_TLS_KEY: TLS takes two files, MCSE_TLS_CERT and MCSE_TLS_KEY"),
        ({"tls_key": "a.pem"}, "Setting MCSE_TLS_KEY: TLS takes two files, MCSE_TLS_CERT and MCSE_TLS_KEY"),
        ({"trusted_proxies": "proxy"}, "Setting MCSE_TRUSTED_PROXIES: proxy is no address"),
        ({"cors_origins": "app.example.com"}, "Setting MCSE_CORS_ORIGINS: app.example.com is no origin"),
        ({"cors_origins": "*"}, "Setting MCSE_CORS_ORIGINS: .* would let every web page"),
        ({"rate_limit": -1}, "Setting MCSE_RATE_LIMIT"),
        ({"concurrency_limit": -1}, "Setting MCSE_CONCURRENCY_LIMIT"),
    ],
)
def test_a_setting_that_cannot_be_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        load_settings(**given)
    assert GOOD not in str(caught.value)


def test_an_open_service_and_one_with_keys_are_told_apart() -> None:
    assert not load_settings().has_keys
    assert load_settings(api_keys=f"read:a:{GOOD}").has_keys
    assert load_settings(api_keys_file=Path("keys")).has_keys
    assert load_settings(api_keys=f"read:a:{GOOD}", cors_origins="*").cors_origins == "*"


def test_keys_do_not_show_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCSE_API_KEYS", f"read:a:{GOOD}")
    settings = load_settings()
    assert GOOD not in f"{settings!r} {settings}"
    with pytest.raises(ValidationError) as caught:
        Settings(api_keys=f"{GOOD}")
    assert GOOD not in str(caught.value)


def test_the_key_to_send_is_not_taken_for_the_keys_to_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCSE_API_KEY", GOOD)
    monkeypatch.setenv("MCSE_SOURCE_API_KEY", GOOD)
    with pytest.raises(SettingsError, match="MCSE_API_KEY is the key that commands send") as caught:
        load_settings()
    assert GOOD not in str(caught.value)
    assert load_settings(api_keys=f"read:a:{GOOD}").has_keys


def test_the_bounds_that_are_promised_are_those_of_the_settings() -> None:
    text = (Path(__file__).parents[3] / "SECURITY.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .+? \| `MCSE_(\w+)` \| ([\d.]+) \|", text, re.MULTILINE)
    assert len(rows) == 14
    assert {name: value for name, value in rows} == {
        name: str(Settings.model_fields[name.lower()].default) for name, _ in rows
    }
    assert f"| {protocol.RECEIVE_WITHIN_S:g} |" in text
    assert f"| {protocol.SEND_WITHIN_S:g} |" in text
    assert f"| {protocol.MAX_HEAD_BYTES} |" in text
