"""A real server on a real port, with a stub model whose vectors are made from a hash."""

import hashlib
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray

from models import TextError, Tokenized
from models.config import Direction
from models.text import Token
from service.app import create_app
from service.model import Encoder, ServedModel
from service.protocol import limited_protocol
from service.settings import Settings

DIMENSION = 16
GROUNDED_DIMENSION = 8
MAX_TOKENS = 16
FIRST, LAST = 101, 102
VOCABULARY = 1_001_000

Start = Callable[..., httpx.Client]


def word_id(word: str) -> int:
    return 1000 + zlib.crc32(word.encode()) % 1_000_000


class StubTokenizer:
    """One token per word, in the brackets of a first and a last one."""

    def encode(self, texts: Sequence[str], *, direction: Direction = "right") -> list[Tokenized]:
        return self.frame([[word_id(word) for word in text.split()] for text in texts], direction=direction)

    def frame(self, contents: Sequence[Sequence[int]], *, direction: Direction = "right") -> list[Tokenized]:
        return [self._frame(index, [*ids], direction) for index, ids in enumerate(contents)]

    def tokens(self, texts: Sequence[str], *, special: bool) -> list[list[Token]]:
        return [self._tokens(text, special=special) for text in texts]

    def decode(self, contents: Sequence[Sequence[int]], *, skip_special: bool) -> list[str]:
        hidden = {FIRST, LAST} if skip_special else set()
        return [" ".join(str(id_) for id_ in ids if id_ not in hidden) for ids in contents]

    def _frame(self, index: int, ids: list[int], direction: Direction) -> Tokenized:
        if (ids[:1], ids[-1:]) == ([FIRST], [LAST]):
            ids = ids[1:-1]
        if not ids:
            raise TextError(index, "nothing in it becomes a token")
        if not all(0 <= id_ < VOCABULARY for id_ in ids):
            raise TextError(index, "an id is not in the vocabulary")
        most = MAX_TOKENS - 2
        kept = ids[-most:] if direction == "left" else ids[:most]
        return Tokenized(ids=[FIRST, *kept, LAST], dropped=len(ids) - len(kept))

    def _tokens(self, text: str, *, special: bool) -> list[Token]:
        words = [Token(word_id(m[0]), m[0], False, m.start(), m.end()) for m in re.finditer(r"\S+", text)]
        first, last = Token(FIRST, "[FIRST]", True, None, None), Token(LAST, "[LAST]", True, None, None)
        return [first, *words, last] if special else words


@dataclass(frozen=True)
class StubCheckpoint:
    """Says what a loaded checkpoint says."""

    name: str = "stub"
    kind: str = "stub"
    fingerprint: str = "f" * 64
    pooling: str = "cls"
    pooling_reason: str = "it is a stub"
    max_tokens: int = MAX_TOKENS
    dimension: int = DIMENSION
    grounded_dimension: int | None = GROUNDED_DIMENSION
    tokenizer: StubTokenizer = field(default_factory=StubTokenizer)
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt_name: str | None = None


class StubEncoder:
    """Vectors from a hash of the ids. The words `poison`, `nan` and `slow` do what they say."""

    name = "stub-float32"
    precision = "float32"
    reason = "it is a stub"
    threads = 1

    def __init__(self) -> None:
        self.batches: list[list[list[int]]] = []
        self.seconds = 0.0

    def encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        self.batches.append([list(ids) for ids in batch])
        words = {word for ids in batch for word in ids}
        if word_id("poison") in words:
            raise RuntimeError("canary-in-exception")
        if word_id("slow") in words:
            time.sleep(0.3)
        time.sleep(self.seconds)
        vectors = np.stack([self._vector(ids) for ids in batch])
        vectors[[word_id("nan") in ids for ids in batch]] = np.nan
        return vectors

    def states(self, batch: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        self.encode(batch)
        return [np.stack([self._vector([place, id_]) for place, id_ in enumerate(ids)]) for ids in batch]

    def ground(self, sentences: NDArray[np.float32]) -> NDArray[np.float32]:
        cut = sentences[:, :GROUNDED_DIMENSION]
        grounded: NDArray[np.float32] = cut / np.linalg.norm(cut, axis=1, keepdims=True)
        return grounded

    def _vector(self, ids: Sequence[int]) -> NDArray[np.float32]:
        seed = hashlib.blake2b(str(list(ids)).encode(), digest_size=8).digest()
        drawn = np.random.default_rng(int.from_bytes(seed)).normal(size=DIMENSION)
        return drawn.astype(np.float32)


@pytest.fixture
def checkpoint() -> ServedModel:
    return StubCheckpoint()


@pytest.fixture
def ungrounded_checkpoint() -> ServedModel:
    return StubCheckpoint(grounded_dimension=None)


@pytest.fixture
def encoder() -> StubEncoder:
    return StubEncoder()


@pytest.fixture
def start(tmp_path: Path, checkpoint: ServedModel, encoder: StubEncoder) -> Iterator[Start]:
    """Start a server of the test's own with these settings; the answer is a client of it."""
    with ExitStack() as running:

        def start_one(*, model: ServedModel = checkpoint, runtime: Encoder = encoder, **given: Any) -> httpx.Client:
            settings = Settings(**{"data_dir": tmp_path / "data", "threads": 1, "max_batch_tokens": 4096, **given})
            return running.enter_context(served(settings, model, runtime))

        yield start_one


@pytest.fixture(scope="session")
def _shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("shared"), threads=1, max_batch_tokens=4096)
    with served(settings, StubCheckpoint(), StubEncoder()) as client:
        yield client


@pytest.fixture
def client(_shared_client: httpx.Client) -> httpx.Client:
    """A client of a server that all tests share, with the default settings and no collections."""
    for collection in _shared_client.get("/collections").json()["collections"]:
        _shared_client.delete(f"/collections/{collection['name']}")
    return _shared_client


@contextmanager
def served(settings: Settings, model: ServedModel, encoder: Encoder) -> Iterator[httpx.Client]:
    """A real server on a free port, in a thread; `client.app` is its app."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(settings, checkpoint=model, runtime=encoder)
    config = uvicorn.Config(
        app,
        http=limited_protocol(settings.max_connections),
        log_config=None,
        lifespan="on",
        access_log=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=10) as client:
            client.app = app  # type: ignore[attr-defined]
            yield client
    finally:
        server.should_exit = True
        thread.join(10)
