"""The settings name the place for collections."""

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from service.errors import InvalidInput, StorageFull, StoreError
from service.model import ServedModel
from service.place import open_place
from service.search.embedded.collections import Collections
from service.search.points import Point, Selection
from service.settings import Settings


@dataclass(frozen=True)
class Model:
    """What a place asks of a model."""

    fingerprint: str = "f" * 64
    dimension: int = 8
    grounded_dimension: int | None = 4


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    return lambda **given: Settings(data_dir=tmp_path / "data", **given)


def model(**given: Any) -> ServedModel:
    return cast(ServedModel, Model(**given))


def test_the_data_directory_is_the_place_unless_another_is_named(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    with closing(open_place(settings(), model())) as place:
        assert isinstance(place, Collections)
        assert (tmp_path / "data").is_dir()
        info = place.create("cats", space="sentence").info()
        assert (info.dimension, info.fingerprint) == (8, "f" * 64)
        assert place.create("pictures", space="grounded").info().dimension == 4


def test_a_model_that_is_not_grounded_has_one_space(settings: Callable[..., Settings]) -> None:
    with (
        closing(open_place(settings(), model(grounded_dimension=None))) as place,
        pytest.raises(InvalidInput, match="no such space; expected one of: sentence"),
    ):
        place.create("pictures", space="grounded")


def test_the_limits_of_the_settings_hold(settings: Callable[..., Settings]) -> None:
    with closing(open_place(settings(max_points=1, max_metadata_bytes=20), model())) as place:
        cats = place.create("cats", space="sentence")
        cats.upsert([Point(1, np.ones(8, np.float32))])
        with pytest.raises(StorageFull, match="limit of 1"):
            cats.upsert([Point(2, np.ones(8, np.float32))])
        with pytest.raises(InvalidInput, match="the limit is 20"):
            cats.set_metadata(Selection([1]), {"name": "x" * 30})


def test_a_directory_in_use_is_refused(settings: Callable[..., Settings]) -> None:
    with closing(open_place(settings(), model())), pytest.raises(StoreError, match="in use"):
        open_place(settings(), model())


def test_the_indexes_of_the_place_are_tended(settings: Callable[..., Settings]) -> None:
    with closing(open_place(settings(), model())) as place:
        assert isinstance(place, Collections)
        assert place._caretaker._thread.is_alive()
    assert not place._caretaker._thread.is_alive()


def test_a_cluster_without_its_client_says_what_to_install(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "service.search.qdrant.backend", None)
    with pytest.raises(StoreError, match=r"needs the package qdrant-client: pip install 'mcse\[qdrant\]'"):
        open_place(settings(search="qdrant", qdrant_url="http://localhost:1"), model())


def test_a_cluster_that_does_not_answer_is_told_of(settings: Callable[..., Settings], tmp_path: Path) -> None:
    pytest.importorskip("qdrant_client")
    with pytest.raises(StoreError):
        open_place(settings(search="qdrant", qdrant_url="http://127.0.0.1:1"), model())
    assert not (tmp_path / "data").exists()
