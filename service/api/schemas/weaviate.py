"""Bodies and answers of what Weaviate's module text2vec-transformers calls."""

from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from service.api.schemas.base import CompatBody, example, require_one_of


class VectorsConfig(CompatBody):
    """`pooling_strategy` may be there and changes nothing: the checkpoint says how it is pooled."""

    task_type: Literal["query", "passage"] | None = Field(None, description="Picks the prompt of queries or documents.")
    dimensions: int | None = Field(None, description="Keep the first so many numbers, then scale to unit length.")


class VectorsRequest(CompatBody):
    """Either `text`, or several `texts`."""

    model_config = example(text="A dog runs on the beach.", config={"task_type": "passage"})

    text: str | None = None
    texts: list[str] | None = None
    config: VectorsConfig | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        require_one_of(self, "text", "texts")
        return self


class VectorAnswer(BaseModel):
    """The answer for `text`; `dim` is the older name of `dims`."""

    text: str
    vector: list[float]
    dims: int
    dim: int
    error: str


class VectorsAnswer(BaseModel):
    """The answer for `texts`."""

    vectors: list[list[float]]
    dims: int
    error: str


class WeaviateMeta(BaseModel):
    """The answer to `/meta`."""

    model: dict[str, Any]
    version: str


class WeaviateError(BaseModel):
    """The body of every answer that is not 2xx."""

    error: str
