import csv
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

Start = Callable[..., httpx.Client]

LINES = {"content-type": "application/x-ndjson"}


@pytest.fixture
def made(client: httpx.Client) -> httpx.Client:
    assert client.put("/collections/pets", json={}).status_code == 201
    return client


def jsonl(*records: Any) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def put_file(client: httpx.Client, content: bytes | Iterator[bytes], query: str = "", **headers: str) -> httpx.Response:
    return client.post(f"/collections/pets/import{query}", content=content, headers={**LINES, **headers})


def count(client: httpx.Client) -> int:
    n: int = client.post("/collections/pets/count").json()["count"]
    return n


def dogs(n: int) -> list[dict[str, Any]]:
    return [{"id": k, "text": f"dog {k}", "metadata": {"k": k}} for k in range(n)]


@pytest.mark.parametrize("piece", [0, 7, 10_000], ids=["whole", "a few bytes", "many lines"])
def test_a_file_is_written_in_batches_whatever_its_pieces(made: httpx.Client, piece: int) -> None:
    content = jsonl(*dogs(1000))
    pieces = (content[at : at + piece] for at in range(0, len(content), piece)) if piece else content
    answer = put_file(made, pieces)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "read": 1000, "written": 1000, "replaced": 0, "skipped": 0, "truncated": 0, "rejected": [], "rejected_count": 0,
    }  # fmt: skip
    assert count(made) == 1000
    found = made.post("/collections/pets/search", json={"query": "dog 777", "limit": 1}).json()["results"][0][0]
    assert (found["id"], found["metadata"]) == (777, {"k": 777})


def test_vectors_and_texts_come_in_one_file(made: httpx.Client) -> None:
    records = [{"id": "v", "vector": [1.0] * 16, "text": "beside"}, {"text": "a dog"}, {"vector": [0.5] * 16}]
    assert put_file(made, jsonl(*records)).json()["written"] == 3
    assert made.get("/collections/pets/points/v").json()["text"] == "beside"
    assert count(made) == 3


def test_bad_lines_are_told_and_the_others_written(made: httpx.Client) -> None:
    content = b"".join(
        [
            jsonl({"id": 1, "text": "a dog"}),
            b'{"id": 2, "text": canary-7f3a}\n',
            jsonl({"id": 3, "text": "  "}),
            jsonl({"id": 4, "vector": [1.0] * 15}),
            jsonl({"id": 5, "vector": [0.0] * 16}),
            jsonl({"id": 6, "vector": [1e39] * 16}),
            jsonl({"id": 7, "text": "x" * 8193}),
            jsonl({"id": 8, "text": "a", "metadata": {"k": "x" * 16_384}}),
            jsonl({"id": 9, "text": "poison"}),
            jsonl({"id": 10, "metadata": {"k": 1}}),
            jsonl({"id": 11, "text": "a cat"}),
            jsonl({"id": -1, "text": "a"}, {"id": "", "text": "a"}, {"id": 1.5, "text": "a"}),
            b'{"text": "a", "metadata": ' + b'{"a":' * 33 + b"1" + b"}" * 33 + b"}\n",
        ]
    )
    answer = put_file(made, content)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["read"], told["written"], told["rejected_count"]) == (15, 2, 13)
    assert {each["line"] for each in told["rejected"]} == {*range(2, 11), *range(12, 16)}
    reasons = {each["line"]: each["reason"] for each in told["rejected"]}
    assert "8193 characters" in reasons[7]
    assert "points[" not in answer.text
    assert "canary" not in answer.text
    assert [made.get(f"/collections/pets/points/{n}").status_code for n in (1, 11)] == [200, 200]


def test_a_hundred_bad_lines_are_told_and_all_are_counted(made: httpx.Client) -> None:
    told = put_file(made, b"no json\n" * 250 + jsonl({"text": "a"})).json()
    assert (told["read"], told["written"], told["rejected_count"], len(told["rejected"])) == (251, 1, 250, 100)


def test_an_id_that_is_there_is_replaced_skipped_or_rejected(made: httpx.Client) -> None:
    put_file(made, jsonl(*dogs(3)))
    again = jsonl({"id": 2, "text": "new"}, {"id": 3, "text": "other"})
    skipped = put_file(made, again, "?on_conflict=skip").json()
    assert (skipped["written"], skipped["skipped"], skipped["replaced"]) == (1, 1, 0)
    rejected = put_file(made, again + jsonl({"id": 4, "text": "more"}), "?on_conflict=error").json()
    assert (rejected["written"], [each["line"] for each in rejected["rejected"]]) == (1, [1, 2])
    assert made.get("/collections/pets/points/2").json()["text"] == "dog 2"
    replaced = put_file(made, again).json()
    assert (replaced["written"], replaced["replaced"]) == (2, 2)
    assert made.get("/collections/pets/points/2").json()["text"] == "new"


def test_an_id_twice_in_a_file_is_written_twice(made: httpx.Client) -> None:
    told = put_file(made, jsonl({"id": 1, "text": "first"}, {"id": 1, "text": "second"})).json()
    assert (told["written"], told["replaced"]) == (2, 1)
    assert made.get("/collections/pets/points/1").json()["text"] == "second"


def test_an_import_that_broke_off_goes_on_after_what_was_read(made: httpx.Client) -> None:
    content = jsonl(*dogs(600))
    first = put_file(made, content[: len(content) // 2].rpartition(b"\n")[0]).json()
    assert 0 < first["read"] < 600
    told = put_file(made, content, f"?skip={first['read']}&on_conflict=error").json()
    assert (told["read"], told["written"], told["rejected_count"]) == (600, 600 - first["read"], 0)
    assert count(made) == 600


def test_all_of_a_file_goes_into_one_collection_when_the_alias_is_switched(start: Start, encoder: Any) -> None:
    client = start(max_points_per_request=10)
    for name in ("pets", "other"):
        client.put(f"/collections/{name}", json={})
    client.put("/aliases/now", json={"collection": "pets"})
    encoder.seconds = 0.05
    with httpx.Client(base_url=client.base_url, timeout=30) as other:
        answers: list[httpx.Response] = []
        content = jsonl(*dogs(100))
        thread = threading.Thread(
            target=lambda: answers.append(other.post("/collections/now/import", content=content, headers=LINES))
        )
        thread.start()
        while not count(client):
            time.sleep(0.01)
        client.put("/aliases/now", json={"collection": "other"})
        thread.join()
    assert answers[0].json()["written"] == count(client) == 100


def test_what_was_read_of_a_broken_connection_is_there(start: Start) -> None:
    client = start(max_points_per_request=10)
    client.put("/collections/pets", json={})
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=5) as connection:
        head = b"POST /collections/pets/import HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n"
        connection.sendall(head + b"content-length: 100000\r\n\r\n" + jsonl(*dogs(25)))
        time.sleep(0.5)
    time.sleep(0.2)
    assert count(client) == 20
    assert client.get("/livez").status_code == 200


def test_progress_is_told_while_it_works(start: Start, encoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.bulk.PROGRESS_EVERY_S", 0.0)
    client = start(max_points_per_request=10)
    client.put("/collections/pets", json={})
    content = jsonl(*dogs(35), {"id": 99})
    with client.stream("POST", "/collections/pets/import", content=content,
                       headers={**LINES, "accept": "application/x-ndjson"}) as answer:  # fmt: skip
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
        told = [json.loads(line) for line in answer.iter_lines()]
    assert [line["read"] for line in told] == [10, 20, 30, 36]
    assert [line["written"] for line in told] == [10, 20, 30, 35]
    assert [line.get("done", False) for line in told] == [False, False, False, True]
    assert told[-1]["rejected"][0]["line"] == 36


def test_a_failure_on_the_way_is_told_with_how_far_it_came(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.bulk.PROGRESS_EVERY_S", 0.0)
    client = start(max_points_per_request=10, max_points=25)
    client.put("/collections/pets", json={})
    answer = put_file(client, jsonl(*dogs(35)))
    assert answer.status_code == 507
    assert (answer.json()["error_type"], answer.json()["read"], answer.json()["written"]) == ("StorageFull", 20, 20)
    client.delete("/collections/pets")
    client.put("/collections/pets", json={})
    lines = put_file(client, jsonl(*dogs(35)), accept="application/x-ndjson")
    last = json.loads(lines.text.splitlines()[-1])
    assert (last["error_type"], last["read"], last["written"]) == ("StorageFull", 20, 20)
    assert count(client) == 20


def test_an_import_takes_longer_than_a_request_may(start: Start, encoder: Any) -> None:
    client = start(request_timeout_s=0.5, max_points_per_request=5)
    client.put("/collections/pets", json={})
    encoder.seconds = 0.1
    started = time.monotonic()
    assert put_file(client, jsonl(*dogs(50))).json()["written"] == 50
    assert time.monotonic() - started > 0.8


def test_an_import_waits_where_a_request_is_refused(start: Start, encoder: Any) -> None:
    client = start(max_points_per_request=5, max_items=5, max_pending=5)
    client.put("/collections/pets", json={})
    encoder.seconds = 0.05
    statuses: list[int] = []
    with httpx.Client(base_url=client.base_url, timeout=30) as other:

        def disturb() -> None:
            for k in range(30):
                statuses.append(other.post("/embed", json={"inputs": [f"{k} {n}" for n in range(5)]}).status_code)

        thread = threading.Thread(target=disturb)
        thread.start()
        told = put_file(client, jsonl(*dogs(50)))
        thread.join()
    assert (told.status_code, told.json()["written"]) == (200, 50)
    assert set(statuses) <= {200, 429}


@pytest.mark.parametrize(
    "query",
    [
        "?format=parquet",
        "?on_conflict=merge",
        "?skip=-1",
        "?skip=x",
        "?skipp=1",
        "?id_field=",
        "?text_field=" + "x" * 257,
        "?types=year:date",
        "?types=int",
        "?delimiter=",
        "?delimiter=%C3%A9",
    ],
)
def test_parameters_that_cannot_be_are_refused(made: httpx.Client, query: str) -> None:
    assert put_file(made, jsonl(*dogs(1)), query).status_code == 422
    assert count(made) == 0


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_file_that_a_web_page_may_send_is_refused(made: httpx.Client, content_type: str) -> None:
    answer = put_file(made, jsonl(*dogs(1)), **{"content-type": content_type})
    assert (answer.status_code, answer.json()["error_type"]) == (415, "MediaType")
    assert count(made) == 0


def test_lines_of_text_and_columns_are_read(made: httpx.Client) -> None:
    assert put_file(made, b"a dog\na cat\n", "?format=text").json()["written"] == 2
    table = b'key,caption,year\r\n1,a brown dog,2021\r\n2,"a cat, black",2022\r\n'
    told = put_file(made, table, "?format=csv&id_field=key&text_field=caption&types=year:int,key:int").json()
    assert (told["written"], told["rejected"]) == (2, [])
    assert made.get("/collections/pets/points/2").json()["metadata"] == {"year": 2022}
    less = put_file(made, table.replace(b",", b";"), "?format=csv&text_field=caption&delimiter=;&metadata_fields=key,x")
    assert less.json()["written"] == 2
    assert made.post(
        "/collections/pets/count", json={"filter": {"must": [{"key": "key", "match": {"any": ["1", "2"]}}]}}
    ).json() == {"count": 2}
    (hits,) = made.post("/collections/pets/search", json={"query": "a cat, black", "limit": 1}).json()["results"]
    assert hits[0]["text"] == "a cat, black"


def exported(client: httpx.Client, query: str = "") -> httpx.Response:
    answer = client.get(f"/collections/pets/export{query}")
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("with_vector", [False, True])
def test_an_export_is_imported_again_as_it_was(made: httpx.Client, with_vector: bool) -> None:
    odd: list[dict[str, Any]] = [
        {"id": "7", "text": 'a "dog", \\ é\n\u2028', "metadata": {"a": {"b": [1, None, 2.5, "x"]}}},
        {"id": 7, "text": "b"},
    ]
    put_file(made, jsonl(*odd, *({"id": f"d{k}", "text": f"dog {k}"} for k in range(600))))
    file = exported(made, f"?with_vector={with_vector}")
    assert file.headers["content-type"] == "application/x-ndjson"
    records = [json.loads(line) for line in file.content.split(b"\n")[:-1]]
    assert len(records) == 602
    assert records[0]["metadata"] == odd[0]["metadata"]
    assert ("vector" in records[0]) == with_vector
    before = made.post("/collections/pets/points", json={"ids": ["7", 7, "d599"], "with_vector": True}).json()
    made.delete("/collections/pets")
    made.put("/collections/pets", json={})
    assert put_file(made, file.content).json()["written"] == 602
    after = made.post("/collections/pets/points", json={"ids": ["7", 7, "d599"], "with_vector": True}).json()
    for one, other in zip(before["points"], after["points"], strict=True):
        assert (one["id"], one["text"], one["metadata"]) == (other["id"], other["text"], other["metadata"])
        assert one["vector"] == pytest.approx(other["vector"], abs=1e-6)


def test_an_export_as_a_table(made: httpx.Client) -> None:
    put_file(made, jsonl({"id": 1, "text": 'a "dog",\nbig', "metadata": {"k": [1]}}, {"id": "x", "vector": [1.0] * 16}))
    file = exported(made, "?format=csv")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(file.text, newline=""))) == [
        ["id", "text", "metadata"],
        ["1", 'a "dog",\nbig', '{"k":[1]}'],
        ["x", "", "{}"],
    ]


def test_an_export_of_what_a_filter_lets_through(made: httpx.Client) -> None:
    put_file(made, jsonl(*dogs(300)))
    wanted = json.dumps({"must": [{"key": "k", "range": {"gte": 290}}]})
    answer = made.get("/collections/pets/export", params={"filter": wanted})
    assert [json.loads(line)["id"] for line in answer.text.splitlines()] == list(range(290, 300))
    nothing = made.get("/collections/pets/export", params={"filter": '{"must": [{"has_id": ["no"]}]}'})
    assert (nothing.status_code, nothing.content) == (200, b"")


@pytest.mark.parametrize(
    "query", ["?filter=[]", "?filter={", '?filter={"x":1}', "?format=parquet", "?limit=5", "?filter="]
)
def test_an_export_that_cannot_be_is_refused(made: httpx.Client, query: str) -> None:
    answer = made.get(f"/collections/pets/export{query}")
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/json"


def test_an_export_stops_when_nobody_reads_it(start: Start) -> None:
    client = start()
    client.put("/collections/pets", json={})
    put_file(client, jsonl(*({"id": k, "vector": [k + 1.0] * 16, "text": "x" * 4000} for k in range(3000))))
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=5) as connection:
        connection.sendall(b"GET /collections/pets/export HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    deadline = time.monotonic() + 5
    series = 'mcse_requests_total{method="GET",route="/collections/{name}/export",status="499"} 1.0'
    while series not in client.get("/metrics").text:
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.05)
