"""The same job on a local cluster of two machines, as a user calls it. Runs where Ray is installed."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from tests.service.commands.conftest import mcse

# Ray's own threads, files and child processes end after the tests do, and the garbage collector complains.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")

WORDS = "dog cat man woman runs sits big small red blue snow beach".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a cluster of two nodes."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    yield cluster.address
    cluster.shutdown()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """JSONL, CSV and Parquet; each other record with an id, one of them bad."""
    rows = [{"text": f"a {WORDS[n % 12]} {WORDS[n * 5 % 11]}" + " big" * (n % 30), "n": n} for n in range(3000)]
    for number, row in enumerate(rows[:2000]):
        row |= {"id": f"r{number}"} if number % 2 else {}
    rows[1234]["text"] = " "
    jsonl, csv, table = (tmp_path / name for name in ("a.jsonl", "b.csv", "c.parquet"))
    jsonl.write_text("".join(json.dumps(row) + "\n" for row in rows[:2000]))
    csv.write_text("text,n\n" + "".join(f"{row['text']},{row['n']}\n" for row in rows[2000:2600]))
    parquet.write_table(parquet_table(rows[2600:]), table)
    return [jsonl, csv, table]


def parquet_table(rows: list[dict[str, Any]]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(rows)


def embed(*words: object) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(mcse("embed", *words), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done


def by_id(path: Path) -> dict[str, tuple[Any, ...]]:
    rows = parquet.read_table(path).to_pylist()
    found = {row["id"]: (row["text"], row["metadata"], row["dropped_tokens"], row["vector"]) for row in rows}
    assert len(found) == len(rows)
    return found


def test_it_gives_what_one_machine_gives(address: str, files: list[Path], tmp_path: Path, tiny_bundle: Path) -> None:
    flags = ("--model", tiny_bundle, "--with-text", "--metadata", "n", "--precision", "float32", "--threads", 1)
    here = embed(*files, "-o", tmp_path / "here.parquet", *flags, "--rejected", tmp_path / "here.jsonl")
    there = embed(
        *files, "-o", tmp_path / "ray.parquet", *flags, "--rejected", tmp_path / "ray.jsonl", "--ray", address
    )
    assert there.returncode == 0, there.stderr
    assert "2,999 texts to" in here.stderr
    assert "Error" not in there.stderr
    assert there.stderr.replace("ray.", "here.").endswith(here.stderr)
    expected, found = by_id(tmp_path / "here.parquet"), by_id(tmp_path / "ray.parquet")
    assert found.keys() == expected.keys()
    for name, row in found.items():
        assert row[:3] == expected[name][:3]
        np.testing.assert_allclose(row[3], expected[name][3], atol=1e-6)
    assert json.loads((tmp_path / "ray.jsonl").read_text()) == json.loads((tmp_path / "here.jsonl").read_text())
    left = {path.name for path in tmp_path.iterdir()} - {path.name for path in files}
    assert left == {"here.parquet", "here.jsonl", "ray.parquet", "ray.jsonl"}


def test_both_machines_work(address: str, tmp_path: Path, tiny_bundle: Path) -> None:
    """Three workers on two nodes of two cores: no node has room for all."""
    (tmp_path / "in.txt").write_text("".join(f"a {WORDS[n % 12]} {WORDS[n % 7]}\n" for n in range(50_000)))
    code = (
        "import sys, ray; from service.commands.embedding import on_ray; from mcse import main\n"
        "call = on_ray.Worker.__call__\n"
        "def told(self, batch):\n"
        f"    open({str(tmp_path)!r} + '/node-' + ray.get_runtime_context().get_node_id(), 'a').close()\n"
        "    return call(self, batch)\n"
        "on_ray.Worker.__call__ = told\n"
        "on_ray._TASK_ROWS = 500\n"
        "ray.cloudpickle.register_pickle_by_value(on_ray)\n"
        "main()"
    )
    words = ["embed", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.parquet"), "--model", str(tiny_bundle)]
    command = [*mcse()[:1], "-c", code, *words, "--ray", address]
    done = subprocess.run(command, cwd=Path(mcse()[1]).parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("node-*"))) == 2
    assert len(by_id_alone(tmp_path / "out.parquet")) == 50_000


def by_id_alone(path: Path) -> set[str]:
    return set(parquet.read_table(path, columns=["id"])["id"].to_pylist())


def test_a_record_that_cannot_be_embedded_ends_it_with_a_sentence(
    address: str, files: list[Path], tmp_path: Path, tiny_bundle: Path
) -> None:
    done = embed(files[0], "-o", tmp_path / "out.parquet", "--model", tiny_bundle, "--ray", address)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        f"Error: {files[0]}, line 1235: It cannot be embedded: the text has no"
    )
    assert not (tmp_path / "out.parquet").exists()


def test_what_stands_in_the_way_is_told(address: str, files: list[Path], tmp_path: Path, tiny_bundle: Path) -> None:
    call = (files[1], "--model", tiny_bundle, "-o")
    (tmp_path / "there.parquet").mkdir()
    assert "it is there already" in embed(*call, tmp_path / "there.parquet", "--ray", address).stderr
    done = embed(*call, tmp_path / "out.parquet", "--ray", address, "--threads", 3)
    assert "machines of 2, 2 cores; a worker needs 3" in done.stderr
    done = embed(tmp_path / "none.txt", *call[1:], tmp_path / "out.parquet", "--ray", address)
    assert "none.txt: there is no such file" in done.stderr
    for nobody in ("127.0.0.1:1", "no-such-machine:6379"):
        done = embed(*call, tmp_path / "out.parquet", "--ray", nobody)
        assert "no Ray cluster answers there" in done.stderr
