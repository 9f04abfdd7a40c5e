"""Pictures into a feature file, as `mcse features` does it: stopped at any point it goes on, and no output is wrong."""

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.images import ImageEncoder
from training.data.captions import read_ids
from training.data.features import ENDINGS, write_features
from training.errors import DataError
from training.features.partial import Partial
from training.features.pictures import Unreadable, find_pictures, read_ahead
from training.features.record import Dtype, Outcome, finished, versions, write_record, write_skipped

_CHUNK = 256  # pictures that a kill can cost, or one batch where that is larger

Progress = Callable[[int, int], None]
"""Told how many pictures are done, out of how many."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What is asked for."""

    images: Path
    """A folder; pictures in folders below it count."""
    output: Path
    """The feature file; its ending decides the format."""
    listed: Path | None = None
    """Ids to take, one a line, in this order; None takes all pictures, sorted."""
    batch_size: int = 32
    """Pictures encoded at a time."""
    dtype: Dtype = "float32"
    """Of the numbers in the file; the encoder always computes in float32."""


def extract(job: Extraction, encoder: ImageEncoder, on_progress: Progress) -> Outcome:
    """Encode every picture that can be read, and write features, `OUTPUT.json` and `OUTPUT.skipped.txt`.

    Finished chunks are kept in `OUTPUT.partial`, so that the same call goes on where the last one stopped, to the same
    bytes. Where the output is there already it is checked and left alone.

    Raises:
        DataError: there are no pictures, none can be read, the output is in the way, or its place cannot be written.
    """
    _check_place(job.output)
    ids = read_ids(job.listed) if job.listed is not None else find_pictures(job.images)
    key = _key(job, encoder, ids)
    partial = Partial(job.output, key)
    if (outcome := finished(job.output, key)) is not None:
        partial.remove()
        return outcome
    if job.output.exists() and not partial.exists():
        raise DataError(
            f"{job.output}: it is there already, and was not made of these pictures with these settings. "
            "Give another output, or delete it."
        )
    try:
        partial.begin()
        _encode_missing(job, encoder, ids, partial, on_progress)
        outcome = _assemble(job, encoder, ids, partial, key)
    except OSError as error:
        raise DataError(
            f"{job.output}: cannot be written ({error.strerror or error}). "
            "Finished pictures are kept; make room and run the same command again."
        ) from error
    partial.remove()
    return outcome


def _check_place(output: Path) -> None:
    if output.suffix.lower() not in ENDINGS:
        raise DataError(f"{output}: its ending is none of {', '.join(ENDINGS)}, which decide the format.")
    if not output.parent.is_dir():
        raise DataError(f"{output.parent}: there is no such folder to write into. Make it first.")


def _key(job: Extraction, encoder: ImageEncoder, ids: list[str]) -> str:
    """Hash of everything the output depends on. Of the pictures it takes name, size and time, not the content."""
    facts = [encoder.fingerprint, job.batch_size, job.dtype, versions()]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in ids:
        path = job.images / name
        state = path.stat() if path.exists() else None
        told = (name, state.st_size, state.st_mtime_ns) if state is not None else (name,)
        digest.update(json.dumps(told).encode())
    return digest.hexdigest()


def _chunk_size(job: Extraction) -> int:
    """Whole batches, so that a batch holds the same pictures whether or not the work was stopped in between."""
    return job.batch_size * max(1, _CHUNK // job.batch_size)


def _encode_missing(
    job: Extraction, encoder: ImageEncoder, ids: list[str], partial: Partial, on_progress: Progress
) -> None:
    size = _chunk_size(job)
    missing = partial.missing(-(-len(ids) // size))
    chunks = [ids[number * size : (number + 1) * size] for number in missing]
    done = len(ids) - sum(map(len, chunks))
    on_progress(done, len(ids))
    todo = [name for chunk in chunks for name in chunk]
    with closing(read_ahead(job.images, todo, encoder.pixels, ahead=2 * job.batch_size)) as pictures:
        for number, chunk in zip(missing, chunks, strict=True):
            features, reasons = [np.empty((0, encoder.width), dtype=np.float32)], list[str]()
            for start in range(0, len(chunk), job.batch_size):
                batch = list(islice(pictures, min(job.batch_size, len(chunk) - start)))
                features.append(_encode(encoder, batch))
                reasons += [item.reason if isinstance(item, Unreadable) else "" for item in batch]
                done += len(batch)
                on_progress(done, len(ids))
            partial.write(number, np.concatenate(features), reasons)


def _encode(encoder: ImageEncoder, batch: list[Tensor | Unreadable]) -> NDArray[np.float32]:
    pixels = [item for item in batch if not isinstance(item, Unreadable)]
    if not pixels:
        return np.empty((0, encoder.width), dtype=np.float32)
    return encoder.encode_pixels(torch.stack(pixels))


def _assemble(job: Extraction, encoder: ImageEncoder, ids: list[str], partial: Partial, key: str) -> Outcome:
    count = -(-len(ids) // _chunk_size(job))
    reasons = [reason for chunk in partial.reasons(count) for reason in chunk]
    skipped = {name: reason for name, reason in zip(ids, reasons, strict=True) if reason}
    kept = [name for name in ids if name not in skipped]
    if not kept:
        partial.remove()
        raise DataError(
            f"{job.images}: none of the {len(ids)} pictures could be read; the first, {ids[0]}: {skipped[ids[0]]}."
        )
    values = partial.scratch((len(kept), encoder.width), job.dtype)
    row = 0
    for features in partial.features(count):
        with np.errstate(over="ignore"):  # float16 overflows to infinity, which the next line refuses
            values[row : row + len(features)] = features
        _check_finite(job, kept[row:], values[row : row + len(features)])
        row += len(features)
    write_skipped(job.output, skipped)
    write_features(job.output, kept, values)
    return write_record(job.output, key, encoder, dtype=job.dtype, listed=len(ids), skipped=len(skipped))


def _check_finite(job: Extraction, names: list[str], values: NDArray[np.generic]) -> None:
    finite = np.isfinite(values.astype(np.float32)).all(axis=1)
    if not finite.all():
        name = names[int(np.argmin(finite))]
        raise DataError(f"{job.images / name}: its features do not fit {job.dtype}. Use another dtype or encoder.")
