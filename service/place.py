"""Open the place that the settings name for collections: the data directory, or a Qdrant cluster."""

from service.errors import StoreError
from service.model import ServedModel
from service.search.backend import Backend
from service.search.embedded.collections import Collections
from service.settings import Settings


def open_place(settings: Settings, model: ServedModel) -> Backend:
    """Raises StoreError: the data directory or the cluster cannot be used."""
    if settings.search == "qdrant":
        return _open_qdrant(settings, model)
    return Collections.open(
        settings.data_dir,
        fingerprint=model.fingerprint,
        dimensions=_dimensions(model),
        max_points=settings.max_points,
        max_metadata_bytes=settings.max_metadata_bytes,
    )


def _open_qdrant(settings: Settings, model: ServedModel) -> Backend:
    try:
        from service.search.qdrant.backend import QdrantBackend
        from service.search.qdrant.connection import open_qdrant
    except ImportError:
        raise StoreError("MCSE_SEARCH=qdrant needs the package qdrant-client: pip install 'mcse[qdrant]'.") from None
    key = settings.qdrant_api_key
    return QdrantBackend(
        open_qdrant(settings.qdrant_url or "", None if key is None else key.get_secret_value()),
        fingerprint=model.fingerprint,
        dimensions=_dimensions(model),
        max_points=settings.max_points,
        shard_number=settings.qdrant_shards,
        replication_factor=settings.qdrant_replicas,
    )


def _dimensions(model: ServedModel) -> dict[str, int]:
    if model.grounded_dimension is None:
        return {"sentence": model.dimension}
    return {"sentence": model.dimension, "grounded": model.grounded_dimension}
