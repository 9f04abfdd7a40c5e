"""Ids, texts, metadata and names that try to be paths, SQL, commands, addresses or headers: each is kept as it is or
refused, and the process touches no file but its own and calls nobody.

The system calls are looked at where `strace` is installed. Drawn texts follow from a seed, TEST_SEED; TEST_TEXTS sets
how many there are.
"""

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.faults.knobs import SEED, number, tell

TEXTS = number("TEST_TEXTS", 100)
REPOSITORY = Path(__file__).parents[2]
START_WITHIN_S = 120
CALLS = (
    "open,openat,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat,link,linkat,"
    "chmod,fchmodat,chown,truncate,mknod,mknodat,execve,connect"
)

pytestmark = pytest.mark.timeout(3600)

NASTY = [
    "../../../etc/passwd",
    "..\\..\\windows\\system32",
    "/etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%c0%af..%c0%afetc/passwd",
    "~/.ssh/id_rsa",
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "gopher://127.0.0.1:25/",
    "\\\\127.0.0.1\\share",
    "a\0b",
    "\0",
    "a\nb",
    "a\r\nSet-Cookie: a=b",
    "'",
    '"',
    "''",
    "`",
    ";",
    "--",
    "'; DROP TABLE points; --",
    "1' OR '1'='1",
    "x' UNION SELECT sql FROM sqlite_schema --",
    "'); DELETE FROM points; --",
    "points",
    "*",
    "?",
    ":a",
    "$1",
    "NULL",
    "%",
    "_",
    "a AND b OR NOT c",
    "NEAR(a b)",
    'text:"a" *',
    "$(touch ran)",
    "`touch ran`",
    "| touch ran",
    "; touch ran",
    "&& touch ran &",
    "${HOME}",
    "$HOME",
    "%s%s%n",
    "{0.__class__}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "<!--#exec cmd='touch ran'-->",
    "=cmd|' /C calc'!A0",
    "-rf",
    "--help",
    ".",
    "..",
    "/",
    "//",
    " ",
    "\u202etxt.exe",
    "\u200b",
    "\ufeff",
    "\uffff",
    "e\u0301",
    "\u00e9",
    "\U0001f600" * 100,
    "\u0130\u0131\u017f\u212a",
    "x" * 128,
    "0",
    "1",
    "-1",
    "true",
    "null",
    "[]",
    "{}",
]
NAMES = [name for name in NASTY if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", name) and name.strip("/. ")]


def drawn(count: int) -> list[str]:
    """Texts of pieces that mean something to somebody, and of any characters."""
    draw = random.Random(SEED)
    pieces = [*NASTY, "../", "%00", "\\", "'", '"', ")", "(", ";", "--", "/*", "*/", " OR ", "=", "\n", "a", "id", "é"]
    made = []
    for _ in range(count):
        parts = [draw.choice(pieces) if draw.random() < 0.7 else _character(draw) for _ in range(draw.randint(1, 6))]
        made.append("".join(parts)[:128])
    return made


def _character(draw: random.Random) -> str:
    while True:
        code = draw.randrange(0x110000)
        if not 0xD800 <= code < 0xE000:
            return chr(code)


@dataclass(frozen=True)
class Running:
    """The real service in a process of its own, in a directory of its own, watched if that is possible."""

    client: httpx.Client
    home: Path
    trace: Path | None

    @property
    def data_dir(self) -> Path:
        return self.home / "deep" / "er" / "data"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(model: Path, home: Path) -> Iterator[Running]:
    port, trace = free_port(), home.with_name("trace")
    watched = ["strace", "-f", "-qq", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(trace)] if can_watch() else []
    settings = {"MCSE_MODEL": str(model), "MCSE_DATA_DIR": str(home / "deep" / "er" / "data"), "MCSE_PORT": str(port)}
    quiet = {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "MCSE_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    (home / "deep" / "er").mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MCSE_")}
    process = subprocess.Popen(
        [*watched, sys.executable, "-m", "service"],
        env={**environment, **settings, **quiet},
        cwd=home / "deep",
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            wait_until_ready(client, process)
            yield Running(client, home, trace if watched else None)
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def can_watch() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False).returncode == 0


def wait_until_ready(client: httpx.Client, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "the service did not start"
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("the service was not ready in time")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Iterator[Running]:
    with running(tiny_bundle, tmp_path_factory.mktemp("injection") / "home") as started:
        yield started


@pytest.fixture
def collection(service: Running) -> Iterator[str]:
    """Empty, with another one beside it that nobody names."""
    for name in ("kept", "pets"):
        service.client.delete(f"/collections/{name}")
        assert service.client.put(f"/collections/{name}", json={}).status_code == 201
    put(service.client, "kept", [{"id": 1, "text": "a dog"}, {"id": "1", "text": "a cat"}])
    yield "pets"
    assert count(service.client, "kept") == 2


def put(client: httpx.Client, name: str, points: list[dict[str, Any]]) -> None:
    for start in range(0, len(points), 50):
        answer = client.put(f"/collections/{name}/points", json={"points": points[start : start + 50]})
        assert answer.status_code == 200, answer.text


def count(client: httpx.Client, name: str, **filters: Any) -> int:
    found: int = client.post(f"/collections/{name}/count", json=filters).json()["count"]
    return found


def texts() -> list[str]:
    return [*dict.fromkeys([*NASTY, *drawn(TEXTS)])]


def points_of(ids: list[str]) -> list[dict[str, Any]]:
    return [
        {"id": one, "text": f"a dog {one}", "metadata": {"said": one, "number": number}}
        for number, one in enumerate(ids)
    ]


def test_every_id_text_and_value_is_kept_as_it_is(service: Running, collection: str) -> None:
    ids = texts()
    points = points_of(ids)
    put(service.client, collection, points)
    assert count(service.client, collection) == len(ids)
    for start in range(0, len(ids), 50):
        asked = {"ids": ids[start : start + 50]}
        found = service.client.post(f"/collections/{collection}/points", json=asked).json()["points"]
        kept = [{key: point[key] for key in ("id", "text", "metadata")} for point in found]
        assert kept == points[start : start + 50], f"seed {SEED}"
    tell(f"{len(ids)} ids, texts and values kept as they are")


def test_an_id_finds_and_deletes_its_own_point_and_no_other(service: Running, collection: str) -> None:
    ids = texts()[:150]
    put(service.client, collection, points_of(ids))
    for place, one in enumerate(ids):
        found = service.client.get(f"/collections/{collection}/points/{quote(one, safe='')}")
        if found.status_code == 200 and one not in (".", ".."):  # of which a client makes another path
            assert found.json()["id"] == one
        elif found.status_code != 200:
            assert found.status_code in (404, 405, 422), found.text
        answer = service.client.post(f"/collections/{collection}/points/delete", json={"ids": [one]})
        assert answer.json() == {"deleted": 1}, repr(one)
        assert count(service.client, collection) == len(ids) - place - 1


def test_a_value_matches_itself_and_nothing_else(service: Running, collection: str) -> None:
    ids = texts()[:120]
    put(service.client, collection, points_of(ids))
    for one in ids:
        matching = {"must": [{"key": "said", "match": {"value": one}}]}
        assert count(service.client, collection, filter=matching) == 1, repr(one)


def test_a_key_of_metadata_is_a_key_and_nothing_else(service: Running, collection: str) -> None:
    for place, one in enumerate(NASTY):
        answer = service.client.put(
            f"/collections/{collection}/points",
            json={"points": [{"id": place, "text": "a dog", "metadata": {one: place}}]},
        )
        assert answer.status_code in (200, 422), answer.text
        asked = {"filter": {"must": [{"key": one, "match": {"value": place}}]}}
        found = service.client.post(f"/collections/{collection}/count", json=asked)
        assert found.status_code in (200, 422), found.text
        assert found.status_code == 422 or found.json()["count"] <= 1


def test_words_are_words_in_every_kind_of_search(service: Running, collection: str) -> None:
    put(service.client, collection, points_of(texts()[:60]))
    for one in NASTY:
        for mode in ("dense", "lexical", "hybrid"):
            answer = service.client.post(
                f"/collections/{collection}/search", json={"query": f"dog {one}", "mode": mode, "limit": 3}
            )
            assert answer.status_code in (200, 422), answer.text
    assert count(service.client, collection) == 60


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_that_is_none_is_refused_everywhere(service: Running, name: str) -> None:
    written = quote(name, safe="")
    for method, path in (
        ("PUT", f"/collections/{written}"),
        ("GET", f"/collections/{written}"),
        ("DELETE", f"/collections/{written}"),
        ("POST", f"/collections/{written}/snapshots"),
        ("GET", f"/collections/kept/snapshots/{written}"),
        ("DELETE", f"/collections/kept/snapshots/{written}"),
        ("POST", f"/collections/kept/snapshots/{written}/restore"),
        ("PUT", f"/aliases/{written}"),
    ):
        body = {"collection": "kept"} if path.startswith("/aliases") else {}
        content = {"json": body} if method in ("PUT", "POST") else {}
        answer = service.client.request(method, path, **content)  # type: ignore[arg-type]
        assert answer.status_code in (404, 405, 422), (method, path, answer.text)
        assert name not in answer.text or len(name) < 3


def test_no_field_is_an_address_that_the_service_calls(service: Running, collection: str) -> None:
    """Somebody listens, and nobody comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        point = {"id": url, "text": url, "metadata": {"url": url, "$ref": url, "image": url}}
        put(service.client, collection, [point])
        for path, body in (
            ("/embed", {"inputs": url}),
            (f"/collections/{collection}/search", {"query": url}),
            (f"/collections/{collection}/snapshot", {"location": url}),
        ):
            service.client.post(path, json=body, headers={"referer": url, "origin": url, "x-forwarded-host": url})
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_nothing_outside_the_data_directory_was_touched(service: Running) -> None:
    """The last one of this file: of all that was sent before it."""
    outside = [path for path in service.home.rglob("*") if service.data_dir not in path.parents]
    assert {path.relative_to(service.home).as_posix() for path in outside} == {"deep", "deep/er", "deep/er/data"}


def test_no_system_call_leads_out_of_the_data_directory(service: Running) -> None:
    if service.trace is None:
        pytest.skip("strace is not installed, or may not watch here")
    own, called = str(service.data_dir), 0
    for line in service.trace.read_text(errors="replace").splitlines():
        found = re.search(r" (\w+)\((.*)", line)
        if found is None:
            continue
        call, rest = found.groups()
        called += 1
        if call == "connect":
            assert "sin_addr" not in rest, line
            assert "sin6_addr" not in rest, line
            continue
        paths = re.findall(r'"((?:[^"\\]|\\.)*)"', rest)
        assert not any("passwd" in path or "id_rsa" in path for path in paths if not path.startswith("/etc/")), line
        reading = call in ("open", "openat") and not re.search(r"O_(?:WRONLY|RDWR|CREAT|TRUNC)", rest)
        if call == "execve" or reading:
            continue
        assert all(path.startswith((own, "/dev/", "/proc/self/")) for path in paths), line
    assert called > 1000
    tell(f"{called} system calls with a path")
