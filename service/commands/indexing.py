"""Write the records of files to a collection, so that a run that was cut off can go on."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from service.commands.batches import Batch, Draft, draft_of, gathered
from service.commands.client import Client
from service.commands.collection import require_collection
from service.commands.describe import Service
from service.commands.errors import CommandError
from service.commands.ids import Ids
from service.commands.pipeline import WRITES_AT_ONCE, write_all
from service.commands.progress import Update, bar
from service.commands.rejections import RejectionLog, rejection_log
from service.commands.state import State
from service.commands.writer import OnConflict, Outcome, Writer
from service.importing.files import FileFormat, Items, identity_of, opened, size_of
from service.importing.options import ReadOptions
from service.importing.records import Record, Rejection

_EXAMPLES = 5  # rejections that the summary shows


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be written where."""

    files: tuple[str, ...]
    collection: str
    format: FileFormat | None
    options: ReadOptions
    on_conflict: OnConflict
    most_points: int
    """In a write."""
    id_prefix: str | None


@dataclass(slots=True)
class Done:
    """What has become of the records so far; this is what a run that was cut off knows of itself."""

    file: int = 0
    """Number of the file that is being read."""
    items: int = 0
    """Records and rejections of it that are done with."""
    read: int = 0
    written: int = 0
    replaced: int = 0
    skipped: int = 0
    truncated: int = 0
    rejected: int = 0
    rejected_bytes: int = 0
    """Of the file of rejections."""
    examples: list[dict[str, Any]] = field(default_factory=list)
    """The first rejections."""


class _Place(NamedTuple):
    """How far a file is read."""

    items: int
    position: int


class Indexing:
    """One run, which goes on from `done`. Each client gets a thread of its own.

    `own` says that the points of a run before may be there; `state` is None where it cannot go on later.
    """

    def __init__(
        self, job: Job, service: Service, dimension: int, clients: Sequence[Client], done: Done, *, own: bool
    ) -> None:
        self.done = done
        self._job = job
        self._service = service
        self._dimension = dimension
        self._writers = [Writer(client, job.collection, job.on_conflict, own=own) for client in clients]
        self._ids = Ids(job.files, job.id_prefix)
        self._read_before = done.read

    def run(self, state: State | None, log: RejectionLog, update: Update) -> None:
        """Write what is not done. Raises SourceError, InvalidInput (a header), Refused and Unreachable."""
        before = 0
        for number, name in enumerate(self._job.files):
            if number > self.done.file:
                self.done.file, self.done.items = number, 0
            if number == self.done.file:
                self._write(name, before, state, log, update)
            before += size_of(name) or 0

    def _write(self, name: str, before: int, state: State | None, log: RejectionLog, update: Update) -> None:
        def acknowledged(batch: Batch[_Place], outcome: Outcome) -> None:
            self._count(batch, outcome)
            self._reject(name, sorted([*batch.rejections, *outcome.rejections]), log)
            if state is not None:
                state.save(asdict(self.done))
            update(before + batch.mark.position, self.done.read - self._read_before)

        job, service = self._job, self._service
        with opened(name, job.format, job.options, skip=self.done.items) as source:
            drafts = self._drafts(name, source)
            most_points = min(job.most_points, service.points)
            write_all(
                gathered(drafts, most_points=most_points, most_bytes=service.body_bytes), self._writers, acknowledged
            )

    def _drafts(self, name: str, source: Items) -> Iterator[tuple[_Place, Draft | Rejection]]:
        for count, item in enumerate(source, start=self.done.items + 1):
            draft = item if isinstance(item, Rejection) else self._draft(name, item)
            yield _Place(count, source.position), draft

    def _draft(self, name: str, record: Record) -> Draft | Rejection:
        point = {
            "id": record.id if record.id is not None else self._ids.of(name, record.line),
            "text": record.text,
            "vector": record.vector,
            "metadata": record.metadata,
        }
        fault = self._service.fault_of(point, self._dimension)
        return draft_of(record.line, point) if fault is None else Rejection(record.line, fault)

    def _count(self, batch: Batch[_Place], outcome: Outcome) -> None:
        done = self.done
        done.items = batch.mark.items
        done.read += len(batch.drafts) + len(batch.rejections)
        done.written += outcome.written
        done.replaced += outcome.replaced
        done.skipped += outcome.skipped
        done.truncated += outcome.truncated

    def _reject(self, name: str, rejections: Sequence[Rejection], log: RejectionLog) -> None:
        lines = log.write(name, rejections)
        self.done.rejected += len(lines)
        self.done.rejected_bytes = log.size
        self.done.examples += lines[: _EXAMPLES - len(self.done.examples)]


def index_files(
    job: Job,
    url: str,
    made_as: Mapping[str, str] | None,
    *,
    resume: bool,
    state_path: Path | None,
    rejected: Path | None,
) -> Done:
    """Write the records of all files; returns what has become of them, those of runs before included.

    Raises CommandError, SourceError, and InvalidInput for the header of a CSV.
    """
    with ExitStack() as opened_ones:
        clients = [opened_ones.enter_context(closing(Client(url))) for _ in range(WRITES_AT_ONCE)]
        service = Service.of(clients[0])
        sizes = [size_of(name) for name in job.files]
        state = _state(job, url, state_path) if None not in sizes else None
        done = _done_before(state) if resume else Done()
        dimension = require_collection(clients[0], service, job.collection, made_as)["dimension"]
        log = opened_ones.enter_context(rejection_log(rejected, done.rejected_bytes))
        update = opened_ones.enter_context(bar("indexing", sum(size or 0 for size in sizes) if state else None))
        run = Indexing(job, service, dimension, clients, done, own=resume)
        if state is None:
            run.run(None, log, update)
            return done
        with state.kept(lambda: asdict(done)):
            run.run(state, log, update)
        state.remove()
        return done


def _state(job: Job, url: str, path: Path | None) -> State:
    return State(path or Path(f"{job.files[0]}.mcse-index"), task_of(job, url))


def _done_before(state: State | None) -> Done:
    if state is None:
        raise CommandError("What comes through a pipe cannot be read again, so --resume needs files.")
    saved = state.load()
    return Done() if saved is None else Done(**saved)


def task_of(job: Job, url: str) -> dict[str, Any]:
    """What must be the same for a run to go on, as plain JSON."""
    options = asdict(job.options)
    fields = job.options.metadata_fields
    return {
        "url": url,
        "collection": job.collection,
        "on_conflict": job.on_conflict,
        "format": job.format,
        "id_prefix": job.id_prefix,
        "files": [{"name": name, **asdict(identity_of(name))} for name in job.files],
        "options": {**options, "metadata_fields": None if fields is None else sorted(fields)},
    }
