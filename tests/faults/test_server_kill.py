"""kill -9 while clients write: what the service acknowledged is there after it starts again, and nothing by halves.

The moments are drawn from a seed, TEST_SEED; TEST_KILLS sets how many there are.
"""

import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.faults.knobs import SEED, number, tell

KILLS = number("TEST_KILLS", 8)
REPOSITORY = Path(__file__).parents[2]
CLIENTS = 3
START_WITHIN_S = 120


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def server(model: Path, data_dir: Path) -> Iterator[tuple["subprocess.Popen[bytes]", httpx.Client]]:
    """The real service in a process of its own, ready."""
    port = free_port()
    settings = {"MCSE_MODEL": str(model), "MCSE_DATA_DIR": str(data_dir), "MCSE_PORT": str(port), "MCSE_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "service"],
        env={**os.environ, **settings, "MCSE_LOG_LEVEL": "error"},
        cwd=REPOSITORY,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            deadline = time.monotonic() + START_WITHIN_S
            while not _ready(client):
                assert process.poll() is None, "the service did not start"
                assert time.monotonic() < deadline, "the service was not ready in time"
                time.sleep(0.05)
            yield process, client
    finally:
        process.kill()
        process.wait()


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def write_until_killed(url: httpx.URL, life: int, client: int, acknowledged: dict[str, int]) -> None:
    """Write batches of texts and remember those that were answered, until the connection breaks."""
    draw = random.Random(f"{SEED}/{life}/{client}")
    with httpx.Client(base_url=url, timeout=30) as connection:
        for batch in range(10**6):
            name, size = f"{life}-{client}-{batch}", draw.randint(1, 8)
            points = [{"id": f"{name}-{i}", "text": f"a dog {i}", "metadata": {"of": size}} for i in range(size)]
            try:
                answer = connection.post("/index", json={"points": points})
            except httpx.TransportError:
                return
            assert answer.status_code == 200, answer.text
            acknowledged[name] = size


def kill_during_writes(process: "subprocess.Popen[bytes]", url: httpx.URL, life: int, after_s: float) -> dict[str, int]:
    acknowledged: dict[str, int] = {}
    writers = [threading.Thread(target=write_until_killed, args=(url, life, i, acknowledged)) for i in range(CLIENTS)]
    for writer in writers:
        writer.start()
    time.sleep(after_s)
    process.kill()
    for writer in writers:
        writer.join()
    return acknowledged


def check(client: httpx.Client, acknowledged: dict[str, int], life: int) -> int:
    """Every acknowledged point is there; of each batch all points or none; returns how many there are."""
    for name, size in acknowledged.items():
        for i in (0, size - 1):
            assert client.get(f"/collections/default/points/{name}-{i}").status_code == 200, (SEED, name, i)
    for writer in range(CLIENTS):  # the batch that was under way when the kill came
        batch = sum(name.startswith(f"{life}-{writer}-") for name in acknowledged)
        name = f"{life}-{writer}-{batch}"
        found = [client.get(f"/collections/default/points/{name}-{i}") for i in range(8)]
        there = [answer for answer in found if answer.status_code == 200]
        assert len(there) in (0, there[0].json()["metadata"]["of"] if there else 0), (SEED, name)
    count = client.post("/collections/default/count", json={}).json()["count"]
    assert count == client.get("/collections/default").json()["count"]
    assert client.get("/readyz").status_code == 200  # among its checks: the index holds what the store holds
    return int(count)


@pytest.mark.slow
@pytest.mark.timeout(7200)  # it starts the real service once per kill, on a machine that may be busy
def test_no_acknowledged_write_is_lost_and_no_batch_is_half_there(tiny_bundle: Path, tmp_path: Path) -> None:
    draw = random.Random(SEED)
    total, count = 0, 0
    last: dict[str, int] = {}
    for life in range(KILLS):
        with server(tiny_bundle, tmp_path / "data") as (process, client):
            if life == 0:
                client.put("/collections/default", json={}).raise_for_status()
            else:
                count = check(client, last, life - 1)
                assert count >= total
            last = kill_during_writes(process, client.base_url, life, draw.uniform(0.02, 0.4))
            total += sum(last.values())
    with server(tiny_bundle, tmp_path / "data") as (_, client):
        count = check(client, last, KILLS - 1)
        assert count >= total
    tell(f"{KILLS} kills of the whole service, {total} points acknowledged, {count} there, none half written")
    assert total > KILLS, "too little was written to prove anything"
