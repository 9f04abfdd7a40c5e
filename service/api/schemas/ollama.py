"""Bodies and answers of Ollama's embeddings, as far as its clients send and read them."""

from pydantic import BaseModel, Field

from service.api.schemas.base import CompatBody, Texts, example


class OllamaEmbedRequest(CompatBody):
    """Texts to turn into vectors. `options` and `keep_alive` may be there and change nothing."""

    model_config = example(model="mcse", input=["A dog runs on the beach.", "Rates rise."])

    input: Texts
    model: str | None = Field(None, description="Any name; the one model that is served answers.")
    truncate: bool | None = Field(None, description="Cut texts that are too long, by default; false refuses them.")
    dimensions: int | None = Field(None, description="Keep the first so many numbers, then scale to unit length.")


class OllamaEmbedAnswer(BaseModel):
    """The answer to `/api/embed`; durations are nanoseconds."""

    model: str
    embeddings: list[list[float]]
    total_duration: int
    load_duration: int
    prompt_eval_count: int


class OllamaPromptRequest(CompatBody):
    """One text, as older clients send it."""

    model_config = example(model="mcse", prompt="A dog runs on the beach.")

    prompt: str
    model: str | None = Field(None, description="Any name; the one model that is served answers.")


class OllamaPromptAnswer(BaseModel):
    """The answer to `/api/embeddings`."""

    embedding: list[float]


class OllamaDetails(BaseModel):
    """What kind of model it is."""

    parent_model: str
    format: str
    family: str
    families: list[str]
    parameter_size: str
    quantization_level: str


class OllamaModel(BaseModel):
    """The model that is served; `digest` is its fingerprint."""

    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: OllamaDetails


class OllamaModels(BaseModel):
    """The answer to `/api/tags`."""

    models: list[OllamaModel]


class OllamaVersion(BaseModel):
    """The answer to `/api/version`."""

    version: str


class OllamaError(BaseModel):
    """The body of every answer that is not 2xx."""

    error: str
