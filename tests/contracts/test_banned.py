"""What our code never does, read from the code itself: run what it reads, start programs, open the store elsewhere than
in one module, speak to a network elsewhere than where that is the task, or leave a check to `assert`."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVED = sorted(path for room in ("models", "service") for path in (ROOT / room).rglob("*.py"))
SOURCES = [*SERVED, *sorted((ROOT / "training").rglob("*.py")), ROOT / "mcse.py"]

# Who reads with these runs what is in the file.
NEVER_IMPORTED = {"cloudpickle", "code", "dill", "joblib", "marshal", "pickle", "runpy", "shelve", "sqlite3", "yaml"}
NEVER_CALLED = {"__import__", "compile", "eval", "exec", "os.fork", "os.popen", "os.startfile", "os.system"}
NEVER_CALLED_AT_ALL = ("os.exec", "os.posix_spawn", "os.spawn")  # how their names begin
NEVER_GIVEN = {"allow_pickle": "False", "shell": "False", "trust_remote_code": "False", "weights_only": "True"}
ALWAYS_GIVEN = {
    "torch.load": "weights_only",
    "from_pretrained": "trust_remote_code",
    "from_config": "trust_remote_code",
}

# Imports that are allowed in some modules only; a name that ends with a slash is a folder.
ALLOWED: Mapping[str, set[str]] = {
    "aiohttp": set(),
    "ftplib": set(),
    "http.client": {"service/cli.py", "service/commands/client.py"},
    "httpx": {"service/search/qdrant/"},
    "huggingface_hub": {"models/resolve.py"},
    "multiprocessing": set(),
    "qdrant_client": {"service/search/qdrant/"},
    "requests": set(),
    "smtplib": set(),
    "socket": {"service/access/handshakes.py", "service/commands/embedding/on_ray.py", "service/server.py"},
    "subprocess": {"models/compiler.py", "training/environment.py"},
    "urllib.request": set(),
    "urllib3": set(),
    "websockets": set(),
    "xmlrpc": set(),
}
ALLOWED_CALLS: Mapping[str, set[str]] = {
    "apsw.Connection": {"service/search/store/database.py"},
    "ctypes.CDLL": {"models/runtime/native/library.py", "service/search/graph/library.py", "service/threads.py"},
}


def findings(source: str, path: str) -> list[str]:
    """What is banned in a module, with its line."""
    tree = ast.parse(source)
    return [f"line {line}: {what}" for line, what in (*_imports(tree, path), *_calls(tree, path))]


def _imports(tree: ast.AST, path: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] in NEVER_IMPORTED:
                yield node.lineno, f"imports {name}"
            for banned, allowed in ALLOWED.items():
                if (name == banned or name.startswith(f"{banned}.")) and not _is_among(path, allowed):
                    yield node.lineno, f"imports {name}"


def _calls(tree: ast.AST, path: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        banned = name in NEVER_CALLED or name.startswith(NEVER_CALLED_AT_ALL)
        if banned or (name in ALLOWED_CALLS and not _is_among(path, ALLOWED_CALLS[name])):
            yield node.lineno, f"calls {name}"
        yield from ((node.lineno, found) for found in _arguments(node, name))


def _arguments(node: ast.Call, name: str) -> Iterator[str]:
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    for argument, value in NEVER_GIVEN.items():
        if given.get(argument, value) != value:
            yield f"gives {argument} as {given[argument]}"
    for ending, argument in ALWAYS_GIVEN.items():
        if (name == ending or name.endswith(f".{ending}")) and argument not in given:
            yield f"calls {name} without {argument}"


def _is_among(path: str, allowed: set[str]) -> bool:
    return any(path == each or (each.endswith("/") and path.startswith(each)) for each in allowed)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_does_what_is_banned(path: Path) -> None:
    assert findings(path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()) == []


@pytest.mark.parametrize("path", SERVED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_check_of_the_service_vanishes_with_python_o(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import yaml",
        "from marshal import loads",
        "import sqlite3",
        "import subprocess",
        "import urllib.request",
        "from urllib import request",
        "import httpx",
        "from http import client",
        "import socket",
        "from huggingface_hub import snapshot_download",
        "eval('1')",
        "exec('1')",
        "compile('1', '', 'eval')",
        "__import__('os')",
        "import os\nos.system('true')",
        "import os\nos.execv('/bin/true', [])",
        "import os\nos.spawnl(0, '/bin/true')",
        "run('true', shell=True)",
        "torch.load('a')",
        "torch.load('a', weights_only=False)",
        "torch.load('a', weights_only=flag)",
        "np.load('a', allow_pickle=True)",
        "AutoModel.from_pretrained('a')",
        "AutoModel.from_pretrained('a', trust_remote_code=True)",
        "transformers.AutoModel.from_config(config)",
        "apsw.Connection('a')",
        "ctypes.CDLL('a')",
    ],
    ids=lambda source: source.splitlines()[-1],
)
def test_what_is_banned_is_found(source: str) -> None:
    assert findings(source, "service/somewhere.py") != []


def test_what_is_allowed_in_its_own_place_is_let_pass() -> None:
    assert findings("import http.client\nfrom http import client", "service/commands/client.py") == []
    assert findings("from qdrant_client.models import A", "service/search/qdrant/deep/er.py") == []
    assert findings("from urllib.parse import quote\nimport re\nre.compile('a')", "service/somewhere.py") == []
    assert findings("torch.load('a', weights_only=True)", "models/weights.py") == []


@pytest.mark.parametrize("place", sorted({place for places in ALLOWED.values() for place in places}))
def test_every_place_that_may_do_more_is_there(place: str) -> None:
    assert (ROOT / place).exists()
