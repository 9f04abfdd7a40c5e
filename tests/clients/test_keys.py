"""A service that wants keys, and clients that send theirs each in its own way."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from tests.clients.installed import assert_same, client
from tests.clients.servers import MODEL, SERVICE, Vectors, started
from tests.clients.texts import MANY

pytestmark = pytest.mark.usefixtures("may_call")

KEY, WRONG = "0123456789abcdefghij", "9876543210abcdefghij"
Embed = Callable[[str, str], Any]


def by_openai(url: str, key: str) -> Any:
    with client("openai").OpenAI(base_url=f"{url}/v1", api_key=key) as made:
        return [item.embedding for item in made.embeddings.create(model=MODEL, input=MANY).data]


def by_hub(url: str, key: str) -> Any:
    return client("huggingface_hub").InferenceClient(url, token=key).feature_extraction(MANY)


def by_ollama(url: str, key: str) -> Any:
    with client("ollama").Client(host=url, headers={"authorization": f"Bearer {key}"}) as made:
        return made.embed(MODEL, MANY).embeddings


def by_cohere(url: str, key: str) -> Any:
    co = client("cohere").ClientV2(api_key=key, base_url=url)
    answer = co.embed(model=MODEL, texts=MANY, input_type="search_document", embedding_types=["float"])
    return answer.embeddings.float_


def by_llama_index(url: str, key: str) -> Any:
    tei = client("llama_index.embeddings.text_embeddings_inference").TextEmbeddingsInference
    return tei(model_name=MODEL, base_url=url, auth_token=key).get_text_embedding_batch(MANY)


ALL: dict[str, tuple[Embed, str | None]] = {
    "openai": (by_openai, "AuthenticationError"),
    "huggingface_hub": (by_hub, "HfHubHTTPError"),
    "ollama": (by_ollama, "ResponseError"),
    "cohere": (by_cohere, "UnauthorizedError"),
    "llama_index": (by_llama_index, None),  # it does not look at the status
}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that wants a key."""
    folder = tmp_path_factory.mktemp("locked")
    with started(folder, *SERVICE, "--data-dir", str(folder / "data"), MCSE_API_KEYS=f"read:app:{KEY}") as url:
        yield url


@pytest.fixture(scope="module")
def expected(locked: str) -> Vectors:
    answer = httpx.post(
        f"{locked}/embed", json={"inputs": MANY}, headers={"authorization": f"Bearer {KEY}"}, timeout=30
    )
    return np.array(answer.json(), dtype=np.float32)


@pytest.mark.parametrize("name", ALL)
def test_a_client_with_a_key_is_answered(locked: str, expected: Vectors, name: str) -> None:
    embed, _ = ALL[name]
    assert_same(embed(locked, KEY), expected)


@pytest.mark.parametrize("name", [name for name, (_, kind) in ALL.items() if kind])
def test_a_client_with_a_wrong_key_is_told_so_by_an_error_of_its_own_kind(locked: str, name: str) -> None:
    embed, kind = ALL[name]
    with pytest.raises(Exception, match="401") as caught:
        embed(locked, WRONG)
    assert type(caught.value).__name__ == kind
    assert WRONG not in str(caught.value)
