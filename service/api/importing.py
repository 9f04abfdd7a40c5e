"""Read a file that comes as a body of any size, and write its records a batch at a time."""

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast, get_args

import numpy as np

from service.api.patience import patiently
from service.api.schemas.base import DEPTH_RULE, ID_RULE, is_point_id, is_shallow
from service.api.schemas.bulk import ImportParameters
from service.api.writing import Draft, Written, require_small, write_drafts
from service.errors import EncodeFailed, InvalidInput
from service.importing.options import CellType, ReadOptions
from service.importing.records import Record as FileRecord
from service.importing.records import RecordReader, Rejection
from service.record import Record
from service.search.points import OnConflict, PointId
from service.services import Services
from service.watch import Watch

MOST_REJECTED = 100  # told with line and reason; beyond it they are counted


def read_options(asked: ImportParameters) -> ReadOptions:
    """Raises InvalidInput."""
    columns: dict[str, CellType] = {}
    for part in (asked.types or "").split(","):
        name, _, kind = part.rpartition(":")
        if part and (not name or kind not in get_args(CellType)):
            known = ", ".join(get_args(CellType))
            raise InvalidInput(f"`types` must be like year:int,price:float, with the types {known}.")
        if part:
            columns[name] = cast(CellType, kind)
    fields = None if asked.metadata_fields is None else frozenset(asked.metadata_fields.split(","))
    return ReadOptions(asked.id_field, asked.text_field, asked.vector_field, fields, columns, asked.delimiter)


@dataclass(slots=True)
class Progress:
    """What has become of the records so far; as JSON it is the answer."""

    read: int = 0
    written: int = 0
    replaced: int = 0
    skipped: int = 0
    truncated: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)
    rejected_count: int = 0

    def reject(self, line: int, reason: str) -> None:
        """Count a record that is not written."""
        self.rejected_count += 1
        if len(self.rejected) < MOST_REJECTED:
            self.rejected.append({"line": line, "reason": reason})

    def add(self, written: Written) -> None:
        """Count a write."""
        self.written += written.inserted + written.replaced
        self.replaced += written.replaced
        self.skipped += written.skipped
        self.truncated += len(written.truncated)


class _Entry(NamedTuple):
    line: int
    draft: Draft


class Import:
    """One import, from record number `skip` on. Each batch is durable before the next one is read, and
    `progress.read` counts whole batches."""

    def __init__(
        self, services: Services, record: Record, deadline: Watch, name: str, on_conflict: OnConflict, skip: int
    ) -> None:
        self.progress = Progress()
        self._services = services
        self._record = record
        self._deadline = deadline
        self._name = name
        self._on_conflict = on_conflict
        self._seen = skip
        self._batch: dict[PointId, _Entry] = {}

    async def run(self, pieces: AsyncIterator[bytes], reader: RecordReader) -> AsyncGenerator[None]:
        """Write all records; yields after each batch. Raises what a write raises, except for what is wrong with a
        single record, which is rejected."""
        async for item in _items(pieces, reader):
            if self._is_full(item):
                await self._flush()
                yield
            self._take(item)
        await self._flush()

    def _is_full(self, item: FileRecord | Rejection) -> bool:
        """Whether the batch must be written before this one is taken; an id comes once in a batch."""
        if len(self._batch) >= self._services.settings.max_points_per_request:
            return True
        return isinstance(item, FileRecord) and item.id in self._batch

    def _take(self, item: FileRecord | Rejection) -> None:
        self._seen += 1
        if isinstance(item, Rejection):
            self.progress.reject(item.line, item.reason)
            return
        try:
            draft = self._draft(item)
        except InvalidInput as error:
            self.progress.reject(item.line, error.message)
        else:
            self._batch[draft.id] = _Entry(item.line, draft)

    def _draft(self, item: FileRecord) -> Draft:
        if item.id is not None and not is_point_id(item.id):
            raise InvalidInput(f"The id {ID_RULE}.")
        if not is_shallow(item.metadata):
            raise InvalidInput(f"The metadata {DEPTH_RULE}.")
        require_small(item.text, item.metadata, self._services.settings, "The ")
        with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused
            vector = None if item.vector is None else np.array(item.vector, dtype=np.float32)
        point_id = str(uuid.uuid4()) if item.id is None else item.id
        return Draft(point_id, item.text, vector, item.metadata or {})

    async def _flush(self) -> None:
        entries = list(self._batch.values())
        self._batch.clear()
        if entries and self._on_conflict == "error":
            entries = await self._new_ones(entries)
        if entries:
            await self._write(entries)
        self.progress.read = self._seen

    async def _new_ones(self, entries: Sequence[_Entry]) -> list[_Entry]:
        ids = [entry.draft.id for entry in entries]
        readers, collections = self._services.readers, self._services.collections
        found = await patiently(lambda: readers.call(lambda: collections.get(self._name).get(ids)))
        known = {point.id for point in found}
        for line, draft in entries:
            if draft.id in known:
                self.progress.reject(line, "There is a point with this id already.")
        return [entry for entry in entries if entry.draft.id not in known]

    async def _write(self, entries: Sequence[_Entry]) -> None:
        """Write these; where one of them is to blame that nothing was written, the others are tried without it."""
        drafts = [draft for _, draft in entries]
        try:
            written = await patiently(
                lambda: write_drafts(self._services, self._record, self._name, drafts, self._on_conflict)
            )
        except (InvalidInput, EncodeFailed) as error:
            if len(entries) == 1:
                self.progress.reject(entries[0].line, _of_one(error.message))
                return
            half = len(entries) // 2
            await self._write(entries[:half])
            await self._write(entries[half:])
        else:
            self.progress.add(written)
            self._deadline.renew()


async def _items(pieces: AsyncIterator[bytes], reader: RecordReader) -> AsyncGenerator[FileRecord | Rejection]:
    async for piece in pieces:
        for item in reader.feed(piece):
            yield item
    for item in reader.close():
        yield item


def _of_one(message: str) -> str:
    """What was said of the only point of a write, without its position in it."""
    return message.replace("points[0]", "the point").replace(" at position 0", "")
