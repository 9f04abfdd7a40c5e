import asyncio
import itertools

import pytest

from service.telemetry.health import Health

TABLE = list(itertools.product([True, False], repeat=4))


@pytest.mark.parametrize(("worker", "warm", "draining", "store"), TABLE)
def test_every_combination_of_checks(worker: bool, warm: bool, draining: bool, store: bool) -> None:
    async def verify() -> list[str]:
        return [] if store else ["writable", "index:pets"]

    health = Health(worker=lambda: worker, store=verify)
    health.warm, health.draining = warm, draining

    assert health.live() == ([] if worker else ["worker"])
    assert health.started() == ([] if warm else ["warm_up"])
    expected = {"worker"} - ({"worker"} if worker else set())
    expected |= set() if warm else {"warm_up"}
    expected |= {"draining"} if draining else set()
    expected |= set() if store else {"store:writable", "store:index:pets"}
    assert set(asyncio.run(health.ready())) == expected


def test_a_new_service_is_not_ready() -> None:
    async def verify() -> list[str]:
        return []

    assert asyncio.run(Health(worker=lambda: True, store=verify).ready()) == ["warm_up"]
