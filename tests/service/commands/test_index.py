import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from service.commands.rejections import rejection_log
from service.importing.records import Rejection
from tests.service.commands.conftest import Run, mcse, points_of

Lines = Callable[..., Path]


def test_records_become_points(run: Run, url: str, client: httpx.Client, lines: Lines) -> None:
    vector = [1.0] + [0.0] * 15
    path = lines(
        [
            {"id": 1, "text": "a dog runs", "year": 2021},
            {"id": "b", "text": "a cat", "vector": vector, "metadata": {"kind": "x"}},
            {"id": "c", "vector": vector},
        ]
    )
    result = run("index", path, "--collection", "pets", "--url", url)
    assert "3 read, 3 written (0 of them replaced a point), 0 skipped, 0 rejected" in result.stdout
    first, second, third = points_of(client, "pets", with_vector=True)
    assert (first["id"], first["text"], first["metadata"]) == (1, "a dog runs", {"year": 2021})
    assert (second["id"], second["metadata"], second["vector"]) == ("b", {"kind": "x"}, vector)
    assert (third["id"], third["text"], third["metadata"]) == ("c", None, {})
    assert not list(path.parent.glob("*.mcse-index"))


def test_the_collection_is_made_as_it_is_said(run: Run, url: str, client: httpx.Client, lines: Lines) -> None:
    path = lines([{"text": "a"}])
    made_as = ["--space", "grounded", "--metric", "dot", "--index", "flat", "--storage", "int8"]
    run("index", path, "-c", "pets", "--url", url, *made_as)
    made = client.get("/collections/pets").json()
    assert [made[name] for name in ("space", "metric", "index", "storage")] == ["grounded", "dot", "flat", "int8"]
    assert (
        "is there with metric dot, not cosine"
        in run("index", path, "-c", "pets", "--url", url, "--metric", "cosine", exits=1).stderr
    )
    run("index", path, "-c", "pets", "--url", url)


def test_a_missing_collection_is_not_made_where_that_is_forbidden(run: Run, url: str, lines: Lines) -> None:
    path = lines([{"text": "a"}])
    call = ("index", path, "-c", "pets", "--url", url, "--no-create")
    assert "has no collection pets. Leave --no-create out to make it" in run(*call, exits=1).stderr
    assert "--no-create forbids it" in run(*call, "--metric", "dot", exits=2).stderr


def test_made_ids_are_file_and_line_so_that_a_second_run_changes_nothing(
    run: Run, url: str, client: httpx.Client, tmp_path: Path
) -> None:
    path = tmp_path / "sentences.txt"
    path.write_text("first\n\nsecond\n")
    for written in ("2 written (0 of them replaced", "2 written (2 of them replaced"):
        assert written in run("index", path, "-c", "pets", "--url", url).stdout
    assert {point["id"]: point["text"] for point in points_of(client, "pets")} == {
        "sentences.txt:1": "first",
        "sentences.txt:3": "second",
    }
    run("index", path, "-c", "pets", "--url", url, "--id-prefix", "wiki/")
    assert {point["id"] for point in points_of(client, "pets")} > {"wiki/sentences.txt:1"}


def test_files_of_one_name_do_not_overwrite_each_other(
    run: Run, url: str, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("one", "two"):
        Path(folder).mkdir()
        Path(folder, "a.txt").write_text(f"{folder}\n")
    run("index", "one/a.txt", "two/a.txt", "-c", "pets", "--url", url)
    assert {point["id"] for point in points_of(client, "pets")} == {"one/a.txt:1", "two/a.txt:1"}


def test_a_name_longer_than_an_id_may_be(run: Run, url: str, client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / f"{'n' * 200}.txt"
    path.write_text("a\nb\n")
    run("index", path, "-c", "pets", "--url", url, "--strict")
    assert len(points_of(client, "pets")) == 2


def test_formats_and_fields_are_as_they_are_said(run: Run, url: str, client: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "points.data"
    path.write_text("key;body;year;zip;left out\n7;a dog;2021;00123;x\n")
    run(
        *("index", path, "-c", "pets", "--url", url, "--format", "csv", "--delimiter", ";"),
        *("--id-field", "key", "--text-field", "body", "--type", "key=int", "--type", "year=int"),
        *("--metadata", "year", "--metadata", "zip"),
    )
    [point] = points_of(client, "pets")
    assert point == {"id": 7, "text": "a dog", "metadata": {"year": 2021, "zip": "00123"}}


@pytest.mark.parametrize(
    ("option", "value"), [("--type", "year"), ("--type", "year=date"), ("--delimiter", ";;"), ("--delimiter", '"')]
)
def test_a_wrong_option_is_told(run: Run, lines: Lines, option: str, value: str) -> None:
    assert option in run("index", lines([]), "-c", "pets", option, value, exits=2).stderr


def test_only_bad_records_are_rejected_each_with_its_reason(
    run: Run, url: str, client: httpx.Client, tmp_path: Path
) -> None:
    path, rejected = tmp_path / "points.jsonl", tmp_path / "rejected.jsonl"
    good = [f'{{"id": {n}, "text": "text number {n}"}}' for n in range(40)]
    bad = {
        3: ("broken", "not valid JSON"),
        7: ('{"text": "a poison b"}', "encode"),
        8: ('{"id": "' + "i" * 200 + '", "text": "a"}', "128 characters"),
        15: (json.dumps({"text": "t" * 9000}), "The text has 9000 characters; the limit is 8192"),
        20: (json.dumps({"vector": [1.0]}), "The vector has 1 numbers; the collection's dimension is 16"),
        21: (json.dumps({"vector": [0.0] * 16}), "all zeros"),
        30: (json.dumps({"text": "a", "m": "x" * 20_000}), "The metadata has"),
        33: ('{"text": "   "}', "becomes a token"),
        34: ('{"text": "a", "m": ' + "[" * 500 + "]" * 500 + "}", "nested too deep"),
    }
    content = list(good)
    for line, (text, _) in sorted(bad.items()):
        content.insert(line - 1, text)
    path.write_text("\n".join(content))
    result = run("index", path, "-c", "pets", "--url", url, "--rejected", rejected, "--strict", exits=1)
    assert "49 read, 40 written (0 of them replaced a point), 0 skipped, 9 rejected" in result.stdout
    assert f"and 4 more; all of them are in {rejected}" in result.stdout
    assert {point["id"] for point in points_of(client, "pets")} == set(range(40))
    told = [json.loads(line) for line in rejected.read_text().splitlines()]
    assert [(entry["file"], entry["line"]) for entry in told] == [(str(path), line) for line in sorted(bad)]
    for entry in told:
        assert bad[entry["line"]][1] in entry["reason"], entry
        assert "points[" not in entry["reason"]
        assert "position" not in entry["reason"]
    run("index", path, "-c", "pets", "--url", url)


def test_the_last_record_of_an_id_wins(run: Run, url: str, client: httpx.Client, lines: Lines) -> None:
    path = lines([{"id": n % 7, "text": f"version {n}"} for n in range(100)])
    run("index", path, "-c", "pets", "--url", url, "--batch", 5)
    assert {point["id"]: point["text"] for point in points_of(client, "pets")} == {
        n % 7: f"version {n}" for n in range(93, 100)
    }


def test_what_becomes_of_ids_that_are_there(run: Run, url: str, client: httpx.Client, lines: Lines) -> None:
    old = lines([{"id": n, "text": "old"} for n in range(3)], "old.jsonl")
    new = lines([{"id": n, "text": "new"} for n in range(6)], "new.jsonl")
    common = ("-c", "pets", "--url", url)
    run("index", old, *common)
    result = run("index", new, *common, "--on-conflict", "error", "--strict", exits=1)
    assert "6 read, 3 written" in result.stdout
    assert "new.jsonl, line 2: There is a point with this id already." in result.stdout
    client.post("/collections/pets/points/delete", json={"ids": [5]})
    result = run("index", new, *common, "--on-conflict", "skip", "--strict")
    assert "6 read, 1 written (0 of them replaced a point), 5 skipped" in result.stdout
    assert [point["text"] for point in points_of(client, "pets")] == ["old"] * 3 + ["new"] * 3
    result = run("index", new, *common, "--json")
    counts = json.loads(result.stdout)
    assert {name: counts[name] for name in ("read", "written", "replaced", "skipped", "rejected")} == {
        "read": 6, "written": 6, "replaced": 6, "skipped": 0, "rejected": 0,
    }  # fmt: skip


def test_writes_stay_within_the_limits_of_the_service(
    run: Run, start: Callable[..., httpx.Client], lines: Lines
) -> None:
    server = start(max_points_per_request=7, max_body_bytes=4096, max_items=7)
    path = lines([{"id": n, "text": "long " * 100, "vector": [0.123456789] * 16} for n in range(50)])
    run("index", path, "-c", "pets", "--url", server.base_url, "--strict")
    assert len(points_of(server, "pets")) == 50


def test_a_text_the_model_does_not_read_to_its_end_is_told(run: Run, url: str, lines: Lines) -> None:
    path = lines([{"text": "word " * 50}, {"text": "short"}])
    assert "1 texts are longer than the model reads" in run("index", path, "-c", "pets", "--url", url).stdout


def test_standard_input(url: str, client: httpx.Client) -> None:
    call = mcse("index", "-", "-c", "pets", "--url", url, "--format", "text")
    for _ in range(2):
        subprocess.run(call, input=b"one\ntwo\n", check=True)
    assert len({point["id"] for point in points_of(client, "pets")}) == 4
    for _ in range(2):
        subprocess.run([*call, "--id-prefix", "mine/"], input=b"one\ntwo\n", check=True)
    assert {point["id"] for point in points_of(client, "pets")} > {"mine/stdin:1", "mine/stdin:2"}
    assert len(points_of(client, "pets")) == 6
    done = subprocess.run([*call, "--resume"], input=b"one\n", stderr=subprocess.PIPE, check=False)
    assert b"--resume needs files" in done.stderr


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["missing.jsonl"], "missing.jsonl: there is no such file"),
        (["points.jsonl", "--format", "parquet"], "cannot be read as Parquet"),
        (["points.jsonl", "--url", "ftp://x"], "no address of a service"),
        (["points.jsonl", "--url", "http://127.0.0.1:99999"], "no address of a service"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    run: Run, url: str, lines: Lines, monkeypatch: pytest.MonkeyPatch, words: list[str], part: str
) -> None:
    monkeypatch.chdir(lines([{"text": "a"}]).parent)
    stderr = run("index", "-c", "pets", "--url", url, *words, exits=1).stderr
    assert stderr.startswith("Error: ")
    assert part in stderr
    assert stderr.count("\n") == 1


def test_a_collection_of_another_model_is_refused_with_the_cure(
    run: Run, other_model: httpx.Client, lines: Lines
) -> None:
    path = lines([{"text": "a"}])
    stderr = run("index", path, "-c", "pets", "--url", other_model.base_url, exits=1).stderr
    assert "another model (ffffffffffff, the service runs eeeeeeeeeeee)" in stderr
    assert "mcse reindex --collection pets" in stderr


def test_parquet_without_pyarrow_says_what_to_install(
    run: Run, url: str, client: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.put("/collections/pets", json={})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "service.importing.parquet", raising=False)
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    for call in (("index", path), ("export", "-o", path)):
        stderr = run(*call, "-c", "pets", "--url", url, exits=1).stderr
        assert "Parquet needs pyarrow, which is not installed" in stderr
        assert "pip install '.[files]'" in stderr
    assert path.read_bytes() == b"PAR1"


def test_a_log_of_rejections_that_is_gone_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "rejected.jsonl"
    with rejection_log(path, 100) as log:
        log.write("a.txt", [Rejection(3, "bad")])
    assert path.read_bytes() == b'{"file":"a.txt","line":3,"reason":"bad"}\n'
    assert log.size == path.stat().st_size
