"""A body that is received into a file, never held in memory."""

import asyncio
import errno
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from fastapi import Request

from service.api.streams import body_pieces
from service.errors import BodyTooLarge, EmptyInput, InvalidInput, StorageFull, Unavailable
from service.services import Services

PIECE = 1024 * 1024  # bytes written together, because each write is a trip to another thread
PREFIX, SUFFIX = "upload-", ".part"
OUT_OF_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@asynccontextmanager
async def received_file(request: Request, services: Services) -> AsyncIterator[Path]:
    """The body as a file in the data directory, which is gone when the block ends.

    Raises EmptyInput, BodyTooLarge over `max_snapshot_bytes`, InvalidInput if it is not what `x-sha256` says,
    WrongMediaType, StorageFull and Unavailable.
    """
    limit = services.settings.max_snapshot_bytes
    if int(request.headers.get("content-length", "0")) > limit:
        raise _too_large(limit)
    with services.jobs.admission.admit(1), _part(services.settings.data_dir) as file:
        digest = await _receive(request, file, limit)
        declared = request.headers.get("x-sha256", digest).lower()
        if declared != digest:
            raise InvalidInput("The body is not what its x-sha256 says; it was damaged on the way: send it again.")
        yield Path(file.name)


def forget_uploads(data_dir: Path) -> None:
    """Delete what uploads left behind when the process was killed."""
    for left in data_dir.glob(f"{PREFIX}*{SUFFIX}"):
        left.unlink(missing_ok=True)


def _part(data_dir: Path) -> "tempfile._TemporaryFileWrapper[bytes]":
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return tempfile.NamedTemporaryFile(dir=data_dir, prefix=PREFIX, suffix=SUFFIX, buffering=0)
    except OSError as error:
        raise _told(error) from error


async def _receive(request: Request, file: IO[bytes], limit: int) -> str:
    """Write the body to `file`; its SHA-256."""
    digest = hashlib.sha256()
    size = 0
    waiting = bytearray()
    async for piece in body_pieces(request):
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        waiting += piece
        if len(waiting) >= PIECE:
            await asyncio.to_thread(_write, file, digest, waiting)
            waiting = bytearray()
    if not size:
        raise EmptyInput("The body is empty; send the file of a snapshot.")
    await asyncio.to_thread(_write, file, digest, waiting)
    return digest.hexdigest()


def _write(file: IO[bytes], digest: "hashlib._Hash", piece: bytearray) -> None:
    digest.update(piece)
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise _told(error) from error


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The snapshot is over the limit of {limit} bytes, which is MCSE_MAX_SNAPSHOT_BYTES.")


def _told(error: OSError) -> StorageFull | Unavailable:
    if error.errno in OUT_OF_ROOM:
        return StorageFull("There is no room on the disk for the upload; delete snapshots, or make room.")
    return Unavailable("The upload could not be written to the data directory; see the log of the service.")
