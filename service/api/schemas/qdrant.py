"""Bodies and answers of Qdrant's inference: what a Qdrant server sends to have its users' texts embedded."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from service.api.schemas.base import CompatBody, example


class InferenceInput(CompatBody):
    """One thing to embed. `options` may be there and change nothing."""

    data: Any = Field(description="The text.")
    data_type: str = Field("text", description="`text`; this service has no encoder for `image` and `object`.")
    model: str | None = Field(None, description="Any name; the one model that is served answers.")


class InferenceRequest(CompatBody):
    """Texts to turn into vectors."""

    model_config = example(
        inputs=[{"data": "A dog runs on the beach.", "data_type": "text", "model": "mcse", "options": None}],
        inference="update",
    )

    inputs: list[InferenceInput]
    inference: Literal["update", "search"] | None = Field(
        None, description="`search` takes the prompt of queries, `update` that of documents."
    )


class ModelUsage(BaseModel):
    """Tokens that the model read."""

    tokens: int


class InferenceUsage(BaseModel):
    """By the name of the model that is served."""

    models: dict[str, ModelUsage]


class InferenceAnswer(BaseModel):
    """The answer to `/qdrant/inference`."""

    embeddings: list[list[float]]
    usage: InferenceUsage


class QdrantError(BaseModel):
    """The body of every answer that is not 2xx."""

    error: str
