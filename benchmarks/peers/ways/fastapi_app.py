"""sentence-transformers behind the smallest FastAPI application that answers a list of sentences with vectors."""

import os

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
model = SentenceTransformer(os.environ["SERVED_MODEL"], device="cpu")
app = FastAPI()


class Body(BaseModel):
    """A request."""

    inputs: list[str]


@app.post("/embed")
def embed(body: Body) -> list[list[float]]:
    """A vector per sentence; FastAPI runs it on a thread of its pool."""
    vectors: list[list[float]] = model.encode(body.inputs, show_progress_bar=False).tolist()
    return vectors
