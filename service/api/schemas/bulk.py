"""What is asked and answered where a whole file goes in or out."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.api.schemas.base import Parameters
from service.api.schemas.points import ON_CONFLICT
from service.importing.options import Format
from service.search.points import OnConflict

FieldName = Annotated[str, Field(min_length=1, max_length=256)]


class ImportParameters(Parameters):
    """How to read the body, and what to do with its records."""

    format: Format = "jsonl"
    on_conflict: OnConflict = Field("replace", description=ON_CONFLICT + " An import rejects it and goes on.")
    id_field: FieldName = "id"
    text_field: FieldName = "text"
    vector_field: FieldName = "vector"
    metadata_fields: str | None = Field(None, description="Names between commas; every other field when absent.")
    types: str | None = Field(None, description="Of CSV columns that are not strings: `year:int,price:float`.")
    delimiter: Annotated[str, Field(pattern=r"^[ -~\t]$")] = Field(",", description="Between the cells of a CSV.")
    skip: int = Field(0, ge=0, description="Pass over so many records: `read` of an import that broke off.")


class RejectedLine(BaseModel):
    """A record that was not written."""

    line: int
    reason: str


class ImportAnswer(BaseModel):
    """What has become of the records."""

    read: int = Field(description="Records done with, those passed over included; all before it are on disk.")
    written: int
    replaced: int = Field(description="Those of `written` whose id was there.")
    skipped: int
    truncated: int = Field(description="Texts that were longer than the model reads.")
    rejected: list[RejectedLine] = Field(description="The first hundred.")
    rejected_count: int


class ExportParameters(Parameters):
    """What to write of which points."""

    format: Literal["jsonl", "csv"] = "jsonl"
    filter: str | None = Field(None, description="A filter as JSON, as in a search.")
    with_vector: bool = False
