"""Bodies of `/embed` and `/similarity`."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from models.config import Direction
from models.quantize import CALIBRATED, Quantization
from service.api.answers import Encoding
from service.api.schemas.base import Body, Texts, TextsOrIds, example, rule
from service.engine.space import Space


def _lower_case(value: Any) -> Any:
    return value.lower() if value in ("Right", "Left") else value


TruncationDirection = Annotated[
    Direction, BeforeValidator(_lower_case, json_schema_input_type=Literal["right", "left", "Right", "Left"])
]
Truncate = Annotated[
    bool | None, Field(description="Cut texts that are too long, which is what null does too; false refuses them.")
]
PromptName = Annotated[
    str | None, Field(description="Which of the model's prompts stands before each text; null is its default prompt.")
]


class EmbedRequest(Body):
    """Texts to turn into vectors."""

    model_config = example(inputs=["A dog runs on the beach.", "Rates rise."])

    inputs: TextsOrIds = Field(description="A text or several; token ids only where the service takes them.")
    normalize: bool = Field(True, description="Scale each vector to unit length.")
    truncate: Truncate = True
    truncation_direction: TruncationDirection = Field("right", description="The end of a long text that is cut off.")
    prompt_name: PromptName = None
    dimensions: int | None = Field(None, description="Keep the first so many numbers, then normalise.")
    space: Space = Field("sentence", description="`grounded` is the space shared with images.")
    quantization: Quantization = Field(
        "float32", description="Codes of a vector's numbers; int8 and uint8 in ranges that belong to the checkpoint."
    )
    encoding_format: Encoding = Field(
        "float", description="In JSON, each vector as a list of numbers, or as base64 of its little-endian bytes."
    )
    details: bool = Field(False, description="Answer with an object instead of the bare matrix.")

    @model_validator(mode="after")
    def _calibrated_are_unit(self) -> Self:
        if self.quantization in CALIBRATED and not self.normalize:
            raise rule("needs `normalize` for int8 and uint8, whose ranges are those of vectors of unit length")
        return self


class EmbedDetails(BaseModel):
    """The answer to `/embed` with `details`."""

    model: str
    space: Space
    dimensions: int
    embeddings: list[list[float]] | list[str]
    tokens: list[int]
    dropped: list[int]
    truncated: list[bool]


class SentencePair(Body):
    """One sentence against many."""

    source_sentence: str
    sentences: list[str]


class SimilarityParameters(Body):
    """How the sentences are read."""

    truncate: Truncate = None
    truncation_direction: TruncationDirection = "right"
    prompt_name: PromptName = None


class SimilarityRequest(Body):
    """Either `inputs`, or `queries` with `keys`."""

    model_config = example(queries=["a dog"], keys=["a puppy", "a bank"])

    inputs: SentencePair | None = None
    queries: Texts | None = None
    keys: list[str] | None = None
    parameters: SimilarityParameters | None = None
    space: Space = "sentence"
    truncate: bool = Field(True, description="What `parameters.truncate` is where it is not given.")

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        one_to_many = self.inputs is not None and self.queries is None and self.keys is None
        many_to_many = self.inputs is None and self.queries is not None and self.keys is not None
        if not one_to_many and not many_to_many:
            raise rule("needs either `inputs`, or both `queries` and `keys`")
        return self
