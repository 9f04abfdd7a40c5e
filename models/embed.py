"""A list of lines into a .npy file, without a server."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from models.errors import CheckpointError, TextError
from models.files import replaced_file
from models.runtime.base import Runtime, Vectors
from models.text import TextTokenizer, Tokenized


def embed_lines(
    tokenizer: TextTokenizer,
    runtime: Runtime,
    lines: Sequence[bytes],
    output: Path,
    *,
    space: str,
    normalize: bool,
    batch_size: int,
) -> tuple[int, int]:
    """Encode each line and write the matrix (lines, width) as float32.

    Returns:
        How many lines there were, and how many were cut at the model's token limit.

    Raises:
        TextError: a line is empty, holds no content or is not UTF-8; the message gives its number.
        CheckpointError: `grounded` is asked of a model without a grounding head.
    """
    if space == "grounded" and runtime.grounded_dimension is None:
        raise CheckpointError("The model has no grounding head, so there is no grounded space. Ask for `sentence`.")
    tokenized = [_tokenize(tokenizer, number, line) for number, line in enumerate(lines, start=1)]
    # Longest first: memory is highest at the start, and batches hold sentences of one length.
    order = sorted(range(len(lines)), key=lambda row: -len(tokenized[row].ids))
    width = runtime.dimension if space == "sentence" else runtime.grounded_dimension
    vectors = np.empty((len(lines), width or 0), dtype=np.float32)
    starts = range(0, len(order), batch_size)
    for start in track(starts, description="embedding", console=Console(stderr=True)):
        rows = order[start : start + batch_size]
        encoded = runtime.encode([tokenized[row].ids for row in rows])
        vectors[rows] = _finish(runtime, encoded, space=space, normalize=normalize)
    with replaced_file(output) as file:
        np.save(file, vectors)
    return len(lines), sum(text.dropped > 0 for text in tokenized)


def _tokenize(tokenizer: TextTokenizer, number: int, line: bytes) -> Tokenized:
    try:
        return tokenizer.encode([line.decode("utf-8")])[0]
    except UnicodeDecodeError as error:
        raise TextError(number - 1, f"line {number}: not UTF-8. Convert the file first.") from error
    except TextError as error:
        raise TextError(number - 1, f"line {number}: {error}") from error


def _finish(runtime: Runtime, encoded: Vectors, *, space: str, normalize: bool) -> Vectors:
    if space == "grounded":
        return runtime.ground(encoded)  # unit length already
    if normalize:
        encoded /= np.linalg.norm(encoded, axis=1, keepdims=True)
    return encoded
