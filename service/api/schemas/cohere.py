"""Bodies and answers of Cohere's embeddings, as far as its clients send and read them."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, PlainValidator, model_validator

from service.api.schemas.base import CompatBody, example, require_one_of, rule
from service.api.schemas.content import text_of

EmbeddingType = Literal["float", "int8", "uint8", "binary", "ubinary", "base64"]


def _texts_of_inputs(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise rule('must be a list of objects such as {"content": [{"type": "text", "text": ...}]}')
    return [text_of(each.get("content") if isinstance(each, dict) else None) for each in value]


InputTexts = Annotated[list[str], PlainValidator(_texts_of_inputs, json_schema_input_type=list[dict[str, Any]])]


class CohereRequest(CompatBody):
    """Texts to turn into vectors; either `texts` or `inputs`."""

    model_config = example(
        model="mcse",
        input_type="search_document",
        texts=["A dog runs on the beach.", "Rates rise."],
        embedding_types=["float", "ubinary"],
    )

    texts: list[str] | None = None
    inputs: InputTexts | None = Field(None, description="Texts as content parts; those of one input are joined.")
    images: list[Any] | None = Field(None, description="Refused: this service has no encoder for images.")
    model: str | None = Field(None, description="Any name; the one model that is served answers.")
    input_type: Literal["search_query", "search_document", "classification", "clustering", "image"] | None = Field(
        None, description="Picks the prompt that the checkpoint has for it."
    )
    embedding_types: list[EmbeddingType] | None = None
    truncate: Literal["NONE", "START", "END"] | None = Field(
        None, description="Where a text that is too long loses tokens, by default its end; `NONE` refuses it."
    )
    output_dimension: int | None = Field(None, description="Keep the first so many numbers, then scale to unit length.")
    max_tokens: int | None = Field(None, ge=1, description="Not less than the model reads.")

    @model_validator(mode="after")
    def _texts_alone(self) -> Self:
        if self.images or self.input_type == "image":
            raise rule("images cannot be embedded here; this service has no encoder for them")
        require_one_of(self, "texts", "inputs")
        return self


class CohereEmbeddings(BaseModel):
    """Vectors by type; the types that were asked for."""

    float_: list[list[float]] | None = Field(None, alias="float")
    int8: list[list[int]] | None = None
    uint8: list[list[int]] | None = None
    binary: list[list[int]] | None = None
    ubinary: list[list[int]] | None = None
    base64: list[str] | None = None


class CohereVersion(BaseModel):
    """Of Cohere's API."""

    version: Literal["1", "2"]


class CohereUnits(BaseModel):
    """Tokens that the model read; nobody is billed."""

    input_tokens: int


class CohereMeta(BaseModel):
    """Beside the vectors; `warnings` tells of texts that were cut."""

    api_version: CohereVersion
    billed_units: CohereUnits
    warnings: list[str] | None = None


class CohereByType(BaseModel):
    """The answer to `/v2/embed`, and to `/v1/embed` with `embedding_types`."""

    id: str
    embeddings: CohereEmbeddings
    texts: list[str]
    meta: CohereMeta
    response_type: Literal["embeddings_by_type"]


class CohereFloats(BaseModel):
    """The answer to `/v1/embed` without `embedding_types`."""

    id: str
    embeddings: list[list[float]]
    texts: list[str]
    meta: CohereMeta
    response_type: Literal["embeddings_floats"]


class CohereError(BaseModel):
    """The body of every answer that is not 2xx."""

    message: str
