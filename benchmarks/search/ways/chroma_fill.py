"""Fills a directory of Chroma's, as its server opens it.

    python -m benchmarks.search.ways.chroma_fill FOLDER base.npy texts.json

Runs in the environment of Chroma.
"""

import json
import sys

import chromadb
import numpy as np

NAME = "benchmark"
BATCH = 5_000  # most points that it takes at one time


def main(folder: str, vectors_file: str, texts_file: str) -> None:
    """One collection, with Chroma's own settings of the graph."""
    vectors = np.load(vectors_file, mmap_mode="r")
    with open(texts_file, encoding="utf-8") as file:
        texts: list[str] = json.load(file)
    client = chromadb.PersistentClient(folder)
    collection = client.create_collection(NAME, configuration={"hnsw": {"space": "ip"}}, embedding_function=None)
    for start in range(0, len(texts), BATCH):
        rows = range(start, min(start + BATCH, len(texts)))
        collection.add(
            ids=[str(row) for row in rows],
            embeddings=np.asarray(vectors[rows.start : rows.stop]),
            documents=texts[rows.start : rows.stop],
            metadatas=[{"words": texts[row].count(" ") + 1} for row in rows],
        )
    sys.stdout.write(str(collection.id))


if __name__ == "__main__":
    main(*sys.argv[1:])
