"""Making a collection in Qdrant: which of its settings our index kinds and storages are."""

from qdrant_client import QdrantClient, models

from service.errors import InvalidInput
from service.search.qdrant.facts import Facts
from service.search.qdrant.layout import DENSE, WORDS

INDEXES = ("flat", "hnsw", "auto")
STORAGES = ("float32", "int8")


def check_index(index: str) -> None:
    """Raise InvalidInput for a kind that Qdrant does not have."""
    if index not in INDEXES:
        raise InvalidInput(f"Qdrant has no such index; expected one of: {', '.join(INDEXES)}.")


def make(client: QdrantClient, facts: Facts, *, shards: int | None, replicas: int | None) -> None:
    """Make the empty collection that `facts` describes.

    The distance is the product in both metrics: cosine vectors come with length 1, and Qdrant then keeps every bit of
    them. With int8 the whole vectors stay on the disk and their codes in memory.
    """
    small = facts.storage == "int8"
    client.create_collection(
        facts.name,
        vectors_config={
            DENSE: models.VectorParams(
                size=facts.dimension, distance=models.Distance.DOT, on_disk=True if small else None
            )
        },
        sparse_vectors_config={WORDS: models.SparseVectorParams(modifier=models.Modifier.IDF)},
        hnsw_config=models.HnswConfigDiff(m=0) if facts.index == "flat" else None,
        quantization_config=_codes() if small else None,
        shard_number=shards,
        replication_factor=replicas,
        write_consistency_factor=None if replicas is None else (replicas + 1) // 2,
        metadata=facts.kept(),
    )


def _codes() -> models.ScalarQuantization:
    return models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
    )
