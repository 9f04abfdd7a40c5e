"""What is wrong with a search or a write, before any work is done for it."""

import math
from collections.abc import Sequence

import orjson

from service.errors import InvalidInput
from service.search.points import Metadata, PointId, Search


def check_search(search: Search) -> None:
    """Raise InvalidInput for numbers that cannot be meant, and for queries that the mode lacks; the vectors
    themselves are checked where they are made ready."""
    for name, value, least in (("limit", search.limit, 1), ("offset", search.offset, 0)):
        if value < least:
            raise InvalidInput(f"{name} is {value}; expected {least} or more.")
    if search.score_threshold is not None and not math.isfinite(search.score_threshold):
        raise InvalidInput("score_threshold is not a finite number.")
    if search.queries is None and search.mode != "lexical":
        raise InvalidInput(f"A search of mode {search.mode} needs vectors; only `lexical` does without.")
    if search.words is None and search.mode != "dense":
        raise InvalidInput(f"A search of mode {search.mode} needs words; send a text as `query`.")
    if search.mode == "hybrid" and len(search.words or ()) != (0 if search.queries is None else len(search.queries)):
        raise InvalidInput("A hybrid search needs a text and a vector for each query.")


def check_metadata_size(metadata: Metadata, most_bytes: int) -> None:
    """Raise InvalidInput where metadata has grown over the limit."""
    try:
        size = len(orjson.dumps(metadata))
    except orjson.JSONEncodeError:
        raise InvalidInput("The metadata cannot be written as JSON; nothing was changed.") from None
    if size > most_bytes:
        raise InvalidInput(
            f"The metadata of a point would have {size} bytes as JSON; the limit is {most_bytes}. Nothing was changed."
        )


def refuse_repeats(ids: Sequence[PointId]) -> None:
    """Raise InvalidInput where an id comes twice."""
    first: dict[PointId, int] = {}
    for position, point_id in enumerate(ids):
        if first.setdefault(point_id, position) != position:
            raise InvalidInput(f"points[{position}] has the same id as points[{first[point_id]}]; send each id once.")
