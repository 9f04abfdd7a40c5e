"""Bodies and answers of Text Embeddings Inference's routes that are not also our own."""

from typing import Annotated, Any

from pydantic import BaseModel, Discriminator, Field, PlainValidator, Tag

from service.api.schemas.base import CompatBody, Texts, TextsOrIds, example, rule
from service.api.schemas.embed import PromptName, Truncate, TruncationDirection


class EmbedAllRequest(CompatBody):
    """Texts whose tokens are to be turned into vectors."""

    model_config = example(inputs=["A dog runs on the beach."])

    inputs: TextsOrIds = Field(description="A text or several; token ids only where the service takes them.")
    truncate: Truncate = None
    truncation_direction: TruncationDirection = "right"
    prompt_name: PromptName = None


class TokenizeRequest(CompatBody):
    """Texts to turn into tokens."""

    model_config = example(inputs=["A dog runs on the beach."])

    inputs: Texts
    add_special_tokens: bool = Field(True, description="With those that the model reads around a text.")
    prompt_name: PromptName = None


class TokenAnswer(BaseModel):
    """A token and its place in the text, in characters; a special token has no place."""

    id: int
    text: str
    special: bool
    start: int | None
    stop: int | None


def _one_or_many_ids(value: Any) -> Any:
    if isinstance(value, list):
        many = [value] if value and set(map(type, value)) <= {int} else value
        if all(isinstance(ids, list) and ids and set(map(type, ids)) <= {int} for ids in many):
            return many
    raise rule("must be a list of token ids, or a list of such lists, none of them empty")


IdLists = Annotated[
    list[list[int]], PlainValidator(_one_or_many_ids, json_schema_input_type=list[int] | list[list[int]])
]


class DecodeRequest(CompatBody):
    """Token ids to turn into texts."""

    model_config = example(ids=[101, 1037, 3899, 102])

    ids: IdLists
    skip_special_tokens: bool = Field(True, description="Leave out those that the model reads around a text.")


class Sentences(CompatBody):
    """One sentence against many."""

    source_sentence: str
    sentences: list[str]


class Parameters(CompatBody):
    """How the sentences are read."""

    truncate: Truncate = None
    truncation_direction: TruncationDirection = "right"
    prompt_name: PromptName = None


def _task(value: Any) -> str:
    return "sentence_similarity" if isinstance(value, dict | Sentences) else "feature_extraction"


class RootRequest(CompatBody):
    """Feature extraction or sentence similarity, as the shape of `inputs` says."""

    model_config = example(inputs=["A dog runs on the beach.", "Rates rise."], normalize=True)

    inputs: Annotated[
        Annotated[TextsOrIds, Tag("feature_extraction")] | Annotated[Sentences, Tag("sentence_similarity")],
        Discriminator(_task),
    ]
    parameters: Parameters | None = Field(None, description="For sentence similarity; the other fields are not.")
    normalize: bool | None = Field(None, description="Scale each vector to unit length, which is what null does too.")
    truncate: Truncate = None
    truncation_direction: TruncationDirection | None = None
    prompt_name: PromptName = None
    dimensions: int | None = Field(None, description="Keep the first so many numbers, then normalise.")
