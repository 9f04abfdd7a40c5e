"""Bodies and answers of OpenAI's embeddings, as far as its clients send and read them."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, PlainValidator, model_validator

from service.api.answers import Encoding
from service.api.schemas.base import CompatBody, TextsOrIds, example, require_one_of, rule
from service.api.schemas.content import text_of

ModelName = Annotated[str, Field(min_length=1, description="Any name; the one model that is served answers.")]


def _texts_of_messages(value: Any) -> list[str]:
    """vLLM's form: a conversation, or a list of them. Each is one text, so it can hold but one message."""
    if not isinstance(value, list) or not value:
        raise rule("must be a list of messages, or a list of such lists")
    return [_text_of_conversation(each) for each in ([value] if isinstance(value[0], dict) else value)]


def _text_of_conversation(value: Any) -> str:
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        raise rule("each conversation must be one message; an embedding model has no template for several")
    return text_of(value[0].get("content"))


MessageTexts = Annotated[list[str], PlainValidator(_texts_of_messages, json_schema_input_type=list[Any])]


class EmbeddingsRequest(CompatBody):
    """Texts to turn into vectors; either `input` or `messages`."""

    model_config = example(input=["A dog runs on the beach.", "Rates rise."], model="mcse")

    input: TextsOrIds | None = Field(
        None, description="A text or several; token ids only where the service takes them."
    )
    messages: MessageTexts | None = Field(None, description="vLLM's way: one user message of text for each vector.")
    model: ModelName | None = None
    encoding_format: Encoding | None = Field(None, description="`base64` is of little-endian float32; default `float`.")
    dimensions: int | None = Field(None, description="Keep the first so many numbers, then scale to unit length.")
    user: str | None = Field(None, description="Taken and not used.")

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        require_one_of(self, "input", "messages")
        return self


class EmbeddingObject(BaseModel):
    """One vector; the last two fields are there where its text was cut."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str
    truncated: bool | None = None
    dropped_tokens: int | None = None


class Usage(BaseModel):
    """Tokens that the model read, special ones included; what was cut off is not among them."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    """The answer to `/v1/embeddings`."""

    object: Literal["list"]
    data: list[EmbeddingObject]
    model: str
    usage: Usage


class ModelObject(BaseModel):
    """The model that is served."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    max_model_len: int


class ModelList(BaseModel):
    """The answer to `/v1/models`."""

    object: Literal["list"]
    data: list[ModelObject]


class ErrorObject(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(BaseModel):
    """The body of every answer that is not 2xx."""

    error: ErrorObject
