"""Bodies of `/embed` and `/similarity`."""

from typing import Self

from pydantic import BaseModel, Field, model_validator

from service.api.schemas.base import Body, Texts, example, rule
from service.engine.space import Space


class EmbedRequest(Body):
    """Texts to turn into vectors."""

    model_config = example(inputs=["A dog runs on the beach.", "Rates rise."])

    inputs: Texts
    normalize: bool = Field(True, description="Scale each vector to unit length.")
    truncate: bool = Field(True, description="Cut texts that are too long; false refuses them.")
    dimensions: int | None = Field(None, description="Keep the first so many numbers, then normalise.")
    space: Space = Field("sentence", description="`grounded` is the space shared with images.")
    details: bool = Field(False, description="Answer with an object instead of the bare matrix.")


class EmbedDetails(BaseModel):
    """The answer to `/embed` with `details`."""

    model: str
    space: Space
    dimensions: int
    embeddings: list[list[float]]
    tokens: list[int]
    truncated: list[bool]


class SentencePair(Body):
    """One sentence against many."""

    source_sentence: str
    sentences: list[str]


class SimilarityRequest(Body):
    """Either `inputs`, or `queries` with `keys`."""

    model_config = example(queries=["a dog"], keys=["a puppy", "a bank"])

    inputs: SentencePair | None = None
    queries: Texts | None = None
    keys: list[str] | None = None
    space: Space = "sentence"
    truncate: bool = True

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        one_to_many = self.inputs is not None and self.queries is None and self.keys is None
        many_to_many = self.inputs is None and self.queries is not None and self.keys is not None
        if not one_to_many and not many_to_many:
            raise rule("needs either `inputs`, or both `queries` and `keys`")
        return self
