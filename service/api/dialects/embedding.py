"""What every dialect asks of the engine: unit vectors of texts."""

from collections.abc import Sequence

from models.config import Direction
from service.api.context import embed, require_at_most
from service.engine.engine import Embedded
from service.engine.part import Text
from service.engine.postprocess import Vectors, shape_vectors
from service.record import Record
from service.services import Services


async def unit_vectors(
    services: Services,
    record: Record,
    texts: Sequence[Text],
    *,
    prompt: str,
    dimensions: int | None = None,
    truncate: bool = True,
    direction: Direction = "right",
) -> tuple[Embedded, Vectors]:
    """What the engine did, and (n, dimensions) vectors of the sentence space, cut and then of unit length.

    Raises InvalidInput for too many texts or a wrong number of dimensions, and what `Engine.embed` raises.
    """
    require_at_most(len(texts), services.settings.max_items, "texts")
    embedded = await embed(services, record, texts, prompt=prompt, truncate=truncate, direction=direction)
    return embedded, shape_vectors(embedded.vectors, dimensions=dimensions, normalize=True)
