import asyncio
import time

import numpy as np
import orjson
import pytest

from service.api.answers import AT_ONCE, json_response, numbers

Shape = tuple[int, ...]


@pytest.mark.parametrize("shape", [(1, 384), (3, 7), (AT_ONCE // 16, 16), (AT_ONCE // 16 + 1, 16), (500, 400), (5,)])
def test_numbers_are_written_as_they_are_whatever_the_blocks(shape: Shape) -> None:
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    body = json_response({"embeddings": asyncio.run(numbers(array))}).body
    assert body == orjson.dumps({"embeddings": array}, option=orjson.OPT_SERIALIZE_NUMPY)


def test_a_row_that_is_wider_than_a_block_is_one() -> None:
    array = np.ones((2, AT_ONCE + 1), np.float32)
    assert orjson.loads(json_response(asyncio.run(numbers(array))).body) == array.tolist()


def test_a_large_answer_leaves_the_event_loop_free_in_between() -> None:
    array = np.random.default_rng(0).normal(size=(4000, 384)).astype(np.float32)

    async def turns() -> int:
        writing, turns = asyncio.create_task(numbers(array)), 0
        while not writing.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    started = time.monotonic()
    assert asyncio.run(turns()) >= array.size // AT_ONCE
    assert time.monotonic() - started < 5
