import asyncio
from pathlib import Path
from typing import Any

import pytest

from service.app import create_app
from service.errors import ModelError, StoreError
from service.model import ServedModel
from service.settings import Settings


def start_and_stop(settings: Settings, checkpoint: ServedModel, encoder: Any) -> None:
    async def scenario() -> None:
        app = create_app(settings, checkpoint=checkpoint, runtime=encoder)
        async with app.router.lifespan_context(app):
            pass

    asyncio.run(scenario())


def test_a_model_that_cannot_encode_does_not_start(tmp_path: Path, checkpoint: ServedModel, encoder: Any) -> None:
    def broken(_batch: Any) -> Any:
        raise RuntimeError

    encoder.encode = broken
    with pytest.raises(ModelError, match="stub loads but cannot encode"):
        start_and_stop(Settings(data_dir=tmp_path, threads=1, max_batch_tokens=4096), checkpoint, encoder)


def test_a_store_that_is_in_use_does_not_start(tmp_path: Path, checkpoint: ServedModel, encoder: Any) -> None:
    settings = Settings(data_dir=tmp_path, threads=1, max_batch_tokens=4096)

    async def scenario() -> None:
        first = create_app(settings, checkpoint=checkpoint, runtime=encoder)
        second = create_app(settings, checkpoint=checkpoint, runtime=encoder)
        async with first.router.lifespan_context(first):
            with pytest.raises(StoreError):
                async with second.router.lifespan_context(second):
                    pass

    asyncio.run(scenario())
    start_and_stop(settings, checkpoint, encoder)


def test_both_spaces_are_warm_before_ready(tmp_path: Path, checkpoint: ServedModel, encoder: Any) -> None:
    start_and_stop(Settings(data_dir=tmp_path, threads=1, max_batch_tokens=4096), checkpoint, encoder)
    assert len(encoder.batches) == 2
