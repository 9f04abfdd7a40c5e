"""Vector queries over HTTP: our server beside Chroma's, with the same points, in turns."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import orjson
from rich.console import Console
from rich.progress import track

from benchmarks.client import Job, send
from benchmarks.compare import Spread, paired, turns
from benchmarks.peers.environments import cache, python_of
from benchmarks.peers.servers import PLANS, free_port, running
from benchmarks.peers.worker import ROOT, environment
from benchmarks.search.kept import copied, kept
from benchmarks.search.ours import NAME
from benchmarks.search.recall import hand_over
from benchmarks.search.report import Report
from benchmarks.search.truth import HITS, nearest, recall
from benchmarks.search.vectors import Corpus, Vectors, corpus
from models.bench.tables import Table
from models.bench.timing import percentile
from models.cores import usable_cores
from models.files import replaced_directory
from models.shipped import SHIPPED

OURS, CHROMA = "mcse", "Chroma"
CONNECTIONS = 16
JUDGED = 500  # queries whose answers are compared with the truth
START_WITHIN_S = 120
BARE, TOLD = "ids and scores", "with text and metadata"
DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"


class Running(Protocol):
    """A server that can be stopped while it is not its turn."""

    @property
    def port(self) -> int: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ChromaServer:
    """A running one."""

    port: int
    pid: int

    def pause(self) -> None:
        """Stop it."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run on."""
        os.killpg(self.pid, signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class Asked:
    """A server, and how it is asked."""

    server: Running
    path: str
    key: str
    """Where the vectors of the query stand."""
    bare: Mapping[str, Any]
    told: Mapping[str, Any]

    def bodies(self, queries: Vectors, form: str) -> list[str]:
        """One request a query."""
        more = self.bare if form == BARE else self.told
        return [
            orjson.dumps({self.key: query[None], **more}, option=orjson.OPT_SERIALIZE_NUMPY).decode()
            for query in queries
        ]


@dataclass(slots=True)
class Seen:
    """One server in one form, by round."""

    rates: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)


def measure(count: int, queries: int, rounds: int) -> Report:
    """Start both, and let them take turns.

    Raises:
        RuntimeError: a server could not be started or did not answer.
    """
    given = corpus(count, queries)
    seen = {(name, form): Seen() for form in (BARE, TOLD) for name in (OURS, CHROMA)}
    with _ours(count) as ours, _chroma(given) as chroma:
        servers = {OURS: ours, CHROMA: chroma}
        recalls = {name: _recall(asked, name, given) for name, asked in servers.items()}
        for asked in servers.values():
            asked.server.pause()
        for order in track(list(turns(list(servers), rounds)), description="rounds", console=Console(stderr=True)):
            for name in order:
                _turn(servers[name], given.queries, {form: seen[name, form] for form in (BARE, TOLD)})
    return report(seen, recalls, f"{count:,} points, {queries:,} queries, {CONNECTIONS} connections, {rounds} rounds")


def _turn(asked: Asked, queries: Vectors, seen: Mapping[str, Seen]) -> None:
    asked.server.resume()
    for form, its in seen.items():
        outcome = send(Job(asked.server.port, asked.path, asked.bodies(queries, form), CONNECTIONS))
        its.rates.append(len(queries) / outcome.seconds)
        its.p99_ms.append(1000 * percentile(outcome.latencies, 0.99))
    asked.server.pause()


@contextmanager
def _ours(count: int) -> Iterator[Asked]:
    path = f"/collections/{NAME}/search"
    with copied(kept(count)) as folder:
        arguments = ("-m", "service", "--port", "{port}", "--model", "{model}", "--data-dir", str(folder))
        plan = replace(PLANS[OURS], command=(*arguments, "--log-level", "error"), path=path, key="query")
        bare = {"limit": HITS, "with_text": False, "with_metadata": False}
        with running(plan, SHIPPED, usable_cores()) as server:
            yield Asked(server, path, "vectors", bare, {"limit": HITS})


@contextmanager
def _chroma(given: Corpus) -> Iterator[Asked]:
    folder = chroma_folder(given)
    number = (folder / "collection").read_text(encoding="ascii")
    port = free_port()
    command = [str(_chroma_python().with_name("chroma")), "run", "--path", str(folder / "data"), "--port", str(port)]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**environment(usable_cores()), "ANONYMIZED_TELEMETRY": "False"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _await(process, port)
        path = f"{DATABASE}/collections/{number}/query"
        bare = {"n_results": HITS, "include": ["distances"]}
        told = {"n_results": HITS, "include": ["distances", "documents", "metadatas"]}
        yield Asked(ChromaServer(port, process.pid), path, "query_embeddings", bare, told)
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def chroma_folder(given: Corpus) -> Path:
    """Its directory with these points, made once and kept."""
    python = _chroma_python()
    folder = cache() / "search" / f"{len(given.vectors)}-{python.parents[1].name}"
    if not folder.is_dir():
        Console(stderr=True).print(f"filling {folder}")
        with TemporaryDirectory() as handed, replaced_directory(folder) as scratch:
            hand_over(given, Path(handed))
            module = ("-m", "benchmarks.search.ways.chroma_fill", str(scratch / "data"))
            files = (f"{handed}/base.npy", f"{handed}/texts.json")
            done = subprocess.run(
                [str(python), *module, *files], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
            )
            (scratch / "collection").write_text(done.stdout, encoding="ascii")
    return folder


def _chroma_python() -> Path:
    return python_of("chromadb", Console(stderr=True))


def _await(process: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + START_WITHIN_S
    while time.monotonic() < end and process.poll() is None:
        with suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v2/heartbeat", timeout=5).close()
            return
        time.sleep(0.1)
    raise RuntimeError("Chroma's server does not answer")


def _recall(asked: Asked, name: str, given: Corpus) -> float:
    queries = given.queries[:JUDGED]
    found = [_ids(_answer(asked, body), name) for body in asked.bodies(queries, BARE)]
    return recall(found, nearest(queries, given.vectors))


def _answer(asked: Asked, body: str) -> dict[str, Any]:
    url = f"http://127.0.0.1:{asked.server.port}{asked.path}"
    request = urllib.request.Request(url, body.encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 (our own)
        answer: dict[str, Any] = json.load(response)
        return answer


def _ids(answer: Mapping[str, Any], name: str) -> Sequence[int]:
    if name == OURS:
        return [hit["id"] for hit in answer["results"][0]]
    return [int(each) for each in answer["ids"][0]]


def report(seen: Mapping[tuple[str, str], Seen], recalls: Mapping[str, float], what: str) -> Report:
    """Rates, latencies, and ratios to Chroma in the same round."""
    rows = []
    for (name, form), its in seen.items():
        other = seen[CHROMA, form]
        rows.append(
            (
                form,
                name,
                f"{recalls[name]:.4f}",
                Spread.of(its.rates).told(0),
                paired(its.rates, other.rates).told(),
                Spread.of(its.p99_ms).told(1),
                paired(its.p99_ms, other.p99_ms).told(),
            )
        )
    header = ("answer", "server", "recall@10", "queries/s", f"times {CHROMA}'s", "p99 ms", f"of {CHROMA}'s")
    return Report((Table(f"Over HTTP: {what}", header, tuple(rows)),), figures(seen, recalls), {})


def figures(seen: Mapping[tuple[str, str], Seen], recalls: Mapping[str, float]) -> dict[str, Any]:
    """All of it, as JSON takes it."""
    servers = [
        {"server": name, "answer": form, "recall": recalls[name], "rates": its.rates, "p99_ms": its.p99_ms}
        for (name, form), its in seen.items()
    ]
    return {"http": servers}
