"""The library gives what the service gives, and its page says what is so."""

import ast
import gzip
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from mcse import app
from models import Embedder

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
TEXTS = [
    "A dog runs.",
    "The committee waited in the park near the old river bridge, because it had been raining for weeks.",
    "naïve café, 東京, 😀",
    "word " * 300,
    *(f"Sentence number {n} of {'a few ' * (n % 11)}sentences." for n in range(60)),
]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def over_http(client: httpx.Client, **options: Any) -> Any:
    answer = client.post("/embed", json={"inputs": TEXTS, **options})
    assert answer.status_code == 200, answer.text
    return np.array(answer.json(), dtype=np.float32)


@pytest.mark.filterwarnings("ignore::models.errors.TruncationWarning")
@pytest.mark.parametrize("options", [{}, {"normalize": False}, {"dimensions": 100}, {"quantization": "int8"}], ids=str)
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_vectors_are_those_of_the_service_bit_for_bit(
    request: pytest.FixtureRequest, precision: Any, options: Any
) -> None:
    server = request.getfixturevalue("shipped_server" if precision == "auto" else "exact_server")
    embedder = Embedder(precision=precision)
    assert embedder.fingerprint == server.get("/info").json()["model"]["fingerprint"]
    found, served = embedder.encode(TEXTS, **options), over_http(server, **options)
    if embedder.runtime.startswith("native"):
        assert np.array_equal(found, served)
    close = 1 if "quantization" in options else 1e-5 if precision == "float32" else 1e-2  # a code is a whole number
    np.testing.assert_allclose(found, served, atol=close)


@pytest.mark.filterwarnings("ignore::models.errors.TruncationWarning")
def test_the_grounded_space_is_the_services(embedder: Embedder, shipped_server: httpx.Client) -> None:
    """To the last digit but one: NumPy's products depend on how many rows there are."""
    found, served = embedder.encode(TEXTS, space="grounded"), over_http(shipped_server, space="grounded")
    np.testing.assert_allclose(found, served, atol=1e-6 if embedder.runtime.startswith("native") else 1e-2)


def test_similarity_is_the_services(embedder: Embedder, shipped_server: httpx.Client) -> None:
    served = shipped_server.post("/similarity", json={"queries": TEXTS[:3], "keys": TEXTS[4:9]}).json()
    np.testing.assert_allclose(embedder.similarity(TEXTS[:3], TEXTS[4:9]), served, atol=1e-6)


# --- the page ---


def statements() -> Iterator[tuple[str, str]]:
    """Each statement of the page's Python, with the comment behind it."""
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        lines = block.splitlines()
        for node in ast.parse(block).body:
            last = lines[(node.end_lineno or 1) - 1]
            yield ast.unparse(node), last[node.end_col_offset or 0 :].strip().removeprefix("# ")


def test_the_python_of_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    compared = 0
    for statement, said in statements():
        node = ast.parse(statement).body[0]
        if not isinstance(node, ast.Expr):
            exec(compile(statement, "docs/library.md", "exec"), names)  # noqa: S102
            continue
        value = eval(compile(statement, "docs/library.md", "eval"), names)  # noqa: S307
        if value is not None:
            shown = ".*".join(map(re.escape, said.split("...")))
            assert re.fullmatch(shown, repr(value)), (statement, value)
            compared += 1
    assert compared >= 6


def commands() -> list[list[str]]:
    return [shlex.split(line) for line in re.findall(r"^\$ mcse (.+)$", PAGE, flags=re.MULTILINE)]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the page's commands name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "captions.txt").write_text("A dog runs.\nStocks fell.\n")
    line = json.dumps({"text": "A dog runs.", "image": "dog.jpg"}) + "\n"
    (tmp_path / "captions.jsonl").write_text(line * 3)
    for name in ("part1.csv.gz", "part2.csv.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"caption,n\nA dog runs.,1\n"))
    return tmp_path


@pytest.mark.parametrize("words", [words for words in commands() if "--ray" not in words], ids=" ".join)
def test_a_command_of_the_page_writes_its_output(corpus: Path, words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    assert (corpus / words[words.index("--output") + 1]).is_file()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'")
def test_the_command_for_ray_writes_its_output(corpus: Path) -> None:
    """On a cluster that is started here, where the page has the one that this machine belongs to."""
    (words,) = [words for words in commands() if "--ray" in words]
    here = [word.replace("/corpus", str(corpus)).replace("*", "captions") for word in words]
    here[here.index("auto")] = "local"
    done = subprocess.run([sys.executable, ROOT / "mcse.py", *here], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list((corpus / "vectors.parquet").glob("*.parquet"))
