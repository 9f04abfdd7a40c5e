import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from models import runtime as runtimes
from models.config import POOLINGS
from models.shipped import SHIPPED
from service import settings as settings_module
from service.errors import SettingsError
from service.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("MCSE_"):
            monkeypatch.delenv(name)


def test_every_setting_has_a_description_and_a_default() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert not field.is_required(), name


def test_the_shipped_model_does_not_depend_on_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings().model == str(SHIPPED)
    assert SHIPPED.is_absolute()


def test_flag_wins_over_environment_wins_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().port == 8080
    monkeypatch.setenv("MCSE_PORT", "9000")
    assert load_settings().port == 9000
    assert load_settings(port=9001).port == 9001


def test_an_empty_variable_is_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCSE_POOLING", "")
    assert load_settings().pooling is None


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pooling_can_be_asked_for(monkeypatch: pytest.MonkeyPatch, pooling: str) -> None:
    monkeypatch.setenv("MCSE_POOLING", pooling)
    assert load_settings().pooling == pooling


def test_unknown_variable_is_an_error_that_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCSE_MAX_ITEM", "3")
    with pytest.raises(SettingsError, match="Unknown setting MCSE_MAX_ITEM; the nearest known is MCSE_MAX_ITEMS"):
        load_settings()


def test_the_variable_of_the_data_is_not_ours_and_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCSE_DATA", "somewhere")
    load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", "65536"), ("port", "x"), ("max_items", "0"), ("pooling", "max"), ("drain_s", "-1"), ("docs", "5")],
)
def test_a_setting_out_of_bounds_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"MCSE_{name.upper()}", value)
    with pytest.raises(SettingsError, match=f"MCSE_{name.upper()}: "):
        load_settings()


def test_a_full_request_must_fit_the_queue() -> None:
    with pytest.raises(SettingsError, match="MAX_PENDING: must be at least 256, which is MCSE_MAX_POINTS_PER_REQUEST"):
        load_settings(max_items=128, max_pending=255)
    with pytest.raises(SettingsError, match="MCSE_MAX_PENDING: must be at least 2048, which is MCSE_MAX_ITEMS"):
        load_settings(max_pending=2047)


def test_the_hits_of_one_query_must_fit_those_of_a_search() -> None:
    with pytest.raises(SettingsError, match="MCSE_MAX_HITS: must be at least 2000, which is MCSE_MAX_LIMIT"):
        load_settings(max_limit=2000)
    assert load_settings(max_limit=2000, max_hits=2000).max_hits == 2000


def test_precisions_and_devices_are_those_of_the_runtimes() -> None:
    assert get_args(settings_module.Device) == get_args(runtimes.Device)
    assert set(get_args(settings_module.PrecisionSetting)) == {"auto", *runtimes.PRECISIONS}


def test_settings_are_frozen() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]


def test_zero_threads_is_one_per_core() -> None:
    assert load_settings(threads=0).encoder_threads >= 1
    assert load_settings(threads=3).encoder_threads == 3


def test_the_limits_of_the_guide_are_the_settings() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`MCSE_.+?) \| (.+?) \|", guide, re.MULTILINE)
    found = {
        name: default
        for names, defaults in rows
        for name, default in zip(re.findall(r"MCSE_(\w+)", names), defaults.split(", "), strict=True)
    }
    assert len(found) == 12
    assert {name: float(default) for name, default in found.items()} == {
        name: Settings.model_fields[name.lower()].default for name in found
    }


def test_the_settings_of_speed_in_the_guide_have_their_defaults() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `MCSE_(\w+)=(\w+)` \|", guide, re.MULTILINE))
    assert set(rows) == {"PRECISION", "DEVICE", "THREADS", "MAX_BATCH_TOKENS", "VECTOR_CACHE_MB"}
    assert all(str(Settings.model_fields[name.lower()].default) == default for name, default in rows.items())
