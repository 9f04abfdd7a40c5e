import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

Start = Callable[..., httpx.Client]

BINARY = {"content-type": "application/octet-stream"}


def fill(client: httpx.Client, name: str = "pets", n: int = 20) -> None:
    assert client.put(f"/collections/{name}", json={"description": "Animals"}).status_code == 201
    points = [{"id": k, "text": f"dog {k}", "metadata": {"k": k}} for k in range(n)]
    assert client.put(f"/collections/{name}/points", json={"points": points}).status_code == 200


def snapshot(client: httpx.Client, name: str = "pets") -> Any:
    answer = client.post(f"/collections/{name}/snapshots")
    assert answer.status_code == 201, answer.text
    return answer.json()


def points(client: httpx.Client, name: str) -> Any:
    answer = client.post(f"/collections/{name}/points/scroll", json={"limit": 1000, "with_vector": True})
    assert answer.status_code == 200, answer.text
    return answer.json()["points"]


@pytest.fixture
def pets(start: Start) -> httpx.Client:
    client = start()
    fill(client)
    return client


def test_a_snapshot_is_made_listed_and_deleted(pets: httpx.Client) -> None:
    made = snapshot(pets)
    assert set(made) == {"name", "bytes", "created_at", "sha256", "count"}
    assert made["count"] == 20
    assert pets.get("/collections/pets/snapshots").json() == {"snapshots": [made]}
    assert pets.get("/collections/pets").json()["status"]["last_snapshot"] == made
    assert pets.delete(f"/collections/pets/snapshots/{made['name']}").json() == {"deleted": 1}
    assert pets.delete(f"/collections/pets/snapshots/{made['name']}").status_code == 404
    assert pets.get("/collections/pets/snapshots").json() == {"snapshots": []}


def test_a_download_is_the_file_with_its_length_and_digest(pets: httpx.Client) -> None:
    made = snapshot(pets)
    answer = pets.get(f"/collections/pets/snapshots/{made['name']}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream")
    assert int(answer.headers["content-length"]) == len(answer.content) == made["bytes"]
    assert hashlib.sha256(answer.content).hexdigest() == made["sha256"] == answer.headers["x-sha256"]


def test_a_download_that_broke_off_is_completed(pets: httpx.Client) -> None:
    made = snapshot(pets)
    path = f"/collections/pets/snapshots/{made['name']}"
    whole = pets.get(path).content
    rest = pets.get(path, headers={"range": "bytes=100-", "if-range": f'"{made["sha256"]}"'})
    assert (rest.status_code, rest.content) == (206, whole[100:])


@pytest.mark.parametrize(
    "name", ["..%2Fstore.sqlite3", "%2e%2e", ".hidden", "a%00b", "x" * 256, "store.sqlite3", "a%2Fb"]
)
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_a_snapshot_is_no_path(pets: httpx.Client, tmp_path: Path, method: str, name: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    path = f"/collections/pets/snapshots/{name}{'/restore' if method == 'POST' else ''}"
    answer = pets.request(method, path)
    assert answer.status_code in (404, 422), answer.text
    assert str(tmp_path) not in answer.text
    assert sorted(tmp_path.rglob("*")) == before


def test_a_snapshot_is_restored_beside_its_collection(pets: httpx.Client) -> None:
    made = snapshot(pets)
    as_it_was = points(pets, "pets")
    pets.post("/collections/pets/points/delete", json={"ids": [1, 2]})
    answer = pets.post(f"/collections/pets/snapshots/{made['name']}/restore", json={"as": "then"})
    assert answer.status_code == 201, answer.text
    assert (answer.json()["name"], answer.json()["count"], answer.json()["description"]) == ("then", 20, "Animals")
    assert points(pets, "then") == as_it_was
    assert len(points(pets, "pets")) == 18


def test_a_snapshot_takes_the_place_of_its_collection_only_when_told_so(pets: httpx.Client) -> None:
    made = snapshot(pets)
    pets.put("/aliases/animals", json={"collection": "pets"})
    as_it_was = points(pets, "pets")
    pets.put("/collections/pets/points", json={"points": [{"id": 1, "text": "changed"}]})
    path = f"/collections/animals/snapshots/{made['name']}/restore"
    for body in (None, {}, {"replace": False}, {"as": "pets"}):
        assert pets.post(path, json=body).status_code == 409
    assert pets.post(path, json={"replace": True}).json()["name"] == "pets"
    assert points(pets, "animals") == as_it_was


@pytest.mark.parametrize(
    "body", [{"as": ".hidden"}, {"as": 5}, {"target": "a"}, {"replace": "true"}, {"as": "a/b"}, {"as": ""}]
)
def test_a_restore_that_breaks_a_rule_is_refused(pets: httpx.Client, body: Any) -> None:
    made = snapshot(pets)
    answer = pets.post(f"/collections/pets/snapshots/{made['name']}/restore", json=body)
    assert answer.status_code == 422, answer.text
    assert len(pets.get("/collections").json()["collections"]) == 1


@pytest.fixture
def downloaded(pets: httpx.Client) -> bytes:
    return pets.get(f"/collections/pets/snapshots/{snapshot(pets)['name']}").content


def upload(client: httpx.Client, content: bytes | Iterator[bytes], query: str = "", **headers: str) -> httpx.Response:
    return client.put(f"/collections/copy/snapshot{query}", content=content, headers={**BINARY, **headers})


def parts(tmp_path: Path) -> list[Path]:
    return list(tmp_path.rglob("upload-*"))


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_file_is_uploaded_into_another_server(
    pets: httpx.Client, downloaded: bytes, start: Start, tmp_path: Path, chunked: bool
) -> None:
    other = start(data_dir=tmp_path / "other")
    content = (downloaded[at : at + 1000] for at in range(0, len(downloaded), 1000)) if chunked else downloaded
    answer = upload(other, content, **{"x-sha256": hashlib.sha256(downloaded).hexdigest()})
    assert answer.status_code == 201, answer.text
    assert (answer.json()["name"], answer.json()["count"]) == ("copy", 20)
    assert points(other, "copy") == points(pets, "pets")
    assert upload(other, downloaded).status_code == 409
    assert upload(other, downloaded, "?replace=true").status_code == 201
    assert parts(tmp_path) == []


def test_an_upload_that_was_damaged_changes_nothing(pets: httpx.Client, downloaded: bytes, tmp_path: Path) -> None:
    damaged = downloaded.replace(b"dog 7", b"dog 9")
    assert damaged != downloaded
    digest = {"x-sha256": hashlib.sha256(downloaded).hexdigest()}
    for content, headers, told in (
        (damaged, digest, "x-sha256"),
        (damaged, {}, ""),
        (downloaded[:-1], {}, ""),
        (b"canary-7f3a" * 100, {}, ""),
    ):
        answer = upload(pets, content, **headers)
        assert answer.status_code == 422, answer.text
        assert told in answer.json()["error"]
        assert "canary" not in answer.text
        assert str(tmp_path) not in answer.text
    assert upload(pets, b"").status_code == 400
    assert pets.get("/collections/copy").status_code == 404
    assert parts(tmp_path) == []
    assert pets.get("/readyz").status_code == 200


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_an_upload_that_a_web_page_may_send_is_refused(pets: httpx.Client, content_type: str) -> None:
    answer = pets.put("/collections/copy/snapshot", content=b"a", headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["error_type"]) == (415, "MediaType")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_makes_no_snapshot(pets: httpx.Client, site: str) -> None:
    answer = pets.post("/collections/pets/snapshots", headers={"sec-fetch-site": site})
    assert (answer.status_code, answer.json()["error_type"]) == (415, "MediaType")
    assert pets.get("/collections/pets/snapshots").json() == {"snapshots": []}


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
@pytest.mark.parametrize(("size", "status"), [(2048, 422), (2049, 413)], ids=["at the limit", "over it"])
def test_the_limit_of_an_upload_holds_exactly(
    start: Start, tmp_path: Path, chunked: bool, size: int, status: int
) -> None:
    client = start(max_snapshot_bytes=2048)
    content = iter([b"x" * 1000, b"x" * (size - 1000)]) if chunked else b"x" * size
    assert upload(client, content).status_code == status
    assert parts(tmp_path) == []


def test_a_name_that_is_taken_is_told_before_the_file_is_sent(pets: httpx.Client) -> None:
    path = "/collections/pets/snapshot"
    with socket.create_connection(("127.0.0.1", pets.base_url.port or 0), timeout=5) as connection:
        head = f"PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\n"
        connection.sendall(f"{head}content-length: 1000000\r\nexpect: 100-continue\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 409 ")


def test_what_a_killed_upload_left_is_deleted_at_the_start(start: Start, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "upload-abc.part").write_bytes(b"half")
    (tmp_path / "data" / "kept.part").write_bytes(b"mine")
    start()
    assert [path.name for path in (tmp_path / "data").glob("*.part")] == ["kept.part"]


def test_searches_and_writes_go_on_while_a_snapshot_is_made(pets: httpx.Client) -> None:
    made: list[Any] = []
    base = pets.base_url
    with httpx.Client(base_url=base, timeout=30) as other:
        thread = threading.Thread(target=lambda: made.extend(snapshot(other) for _ in range(10)))
        thread.start()
        writes = 0
        while thread.is_alive():
            put = pets.put("/collections/pets/points", json={"points": [{"id": 100 + writes, "text": f"cat {writes}"}]})
            assert put.status_code == 200
            assert pets.post("/collections/pets/search", json={"query": "dog 3", "limit": 1}).status_code == 200
            writes += 1
        thread.join()
    counts = [each["count"] for each in made]
    assert counts == sorted(counts)
    assert all(20 <= count <= 20 + writes for count in counts)


def test_what_waits_longer_than_a_request_may_is_done(start: Start) -> None:
    client = start(request_timeout_s=0.3)
    fill(client)
    services = client.app.state.services  # type: ignore[attr-defined]
    services.jobs._pool.submit(time.sleep, 0.8)
    made = snapshot(client)
    services.jobs._pool.submit(time.sleep, 0.8)
    path = f"/collections/pets/snapshots/{made['name']}/restore"
    assert client.post(path, json={"as": "then"}).status_code == 201
    services.jobs._pool.submit(time.sleep, 0.8)
    assert client.get("/collections/then?measure=true").status_code == 200
