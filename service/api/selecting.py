"""From what a body says of ids and filters to the points it means, within the limits."""

from collections.abc import Sequence
from typing import Any

from service.api.context import require_at_most
from service.api.schemas.points import SelectionRequest
from service.errors import EmptyInput
from service.search.filters.model import Filter
from service.search.filters.parse import parse_filter
from service.search.points import PointId, Selection
from service.settings import Settings


def filter_of(value: dict[str, Any] | None) -> Filter | None:
    """Raises InvalidInput."""
    return None if value is None else parse_filter(value)


def selection_of(body: SelectionRequest, settings: Settings) -> Selection:
    """Raises EmptyInput, InvalidInput."""
    if body.ids is None:
        return Selection(filter=filter_of(body.filter))
    require_ids(body.ids, settings)
    return Selection(ids=body.ids)


def filtered(value: dict[str, Any] | None) -> Selection | None:
    """What a filter alone selects; None is all points."""
    return None if value is None else Selection(filter=filter_of(value))


def require_ids(ids: Sequence[PointId], settings: Settings) -> None:
    """Raises EmptyInput for none, InvalidInput for too many."""
    if not ids:
        raise EmptyInput("No ids were sent; send at least one.")
    require_at_most(len(ids), settings.max_points_per_request, "ids")
