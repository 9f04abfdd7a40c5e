"""The same job on a Ray cluster, with Ray Data: read tasks, a pool of workers that hold the model, Parquet files.

`embed_on_ray` runs where it is called, `Records` and `Worker` on the machines of the cluster. All of these must see the
files by the same names.
"""

import logging
import os
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machine unasked

import numpy as np
import orjson
import pyarrow as pa
import ray
from pyarrow import dataset
from ray.data import ActorPoolStrategy, DataContext, Dataset, Datasource, ReadTask
from ray.data.block import BlockMetadata

from models.cores import usable_cores
from models.errors import CheckpointError, PrecisionError
from models.files import sync_directory
from models.vectorizer import Vectorizer
from models.vectors import code_type
from service.commands.embedding.chunks import Chunk, chunks_of
from service.commands.embedding.job import Done, Job, Opening
from service.commands.embedding.partial import Listed, remove_partial
from service.commands.embedding.stages import embedded, tokenized
from service.commands.embedding.table import schema_of, table_of
from service.commands.errors import CommandError
from service.commands.ids import Ids
from service.errors import InvalidInput
from service.importing.errors import SourceError
from service.importing.files import size_of
from service.importing.records import Record, Rejection

_TASK_ROWS = 8_192  # that a worker is given at a time
_FILE_ROWS = 65_536  # of an output file, at least, but for the last ones
_REACHABLE_WITHIN_S = 10.0
_NOBODY = "{}: no Ray cluster answers there. Start it with `ray start`, or give `local`."
_EXAMPLES = 5  # rejections that the summary shows

_READ = pa.schema(
    [
        ("file", pa.int32()),
        ("line", pa.int64()),
        ("id", pa.string()),
        ("text", pa.string()),
        ("metadata", pa.string()),
        ("reason", pa.string()),
    ]
)
"""What is read: a record, or why it is none"""


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker must know."""

    job: Job
    opening: Opening
    fingerprint: str
    """Of the caller's model, which a worker's must be"""
    directory: Path
    """Where `rejected` is, for what is left out, and `failed`, for why the job had to end; all machines see it"""
    leaves_out: bool
    """Else a record that cannot be embedded ends the job"""

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Write down what ends the job: of an error, Ray brings to the caller only its traceback."""
        try:
            yield
        except (CommandError, SourceError, InvalidInput, CheckpointError, PrecisionError) as error:
            (self.directory / "failed" / uuid.uuid4().hex).write_text(str(error), encoding="utf-8")
            raise


class Records(Datasource):  # type: ignore[misc]  # Ray is not there where types are checked
    """The records of files, a read task each."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self._task = task

    def estimate_inmemory_data_size(self) -> int | None:
        """Bytes of the files."""
        return sum(size_of(name) or 0 for name in self._task.job.files)

    def get_read_tasks(self, *_: Any, **__: Any) -> list[ReadTask]:
        """As Ray calls it, with its wishes."""
        return [
            ReadTask(partial(_read, self._task, number), BlockMetadata(None, size_of(name), None, input_files=[name]))
            for number, name in enumerate(self._task.job.files)
        ]


class Worker:
    """Holds the model as long as the job runs, and makes vectors of what was read."""

    def __init__(self, task: Task) -> None:
        """Raises CommandError where the model is not the caller's."""
        self._task = task
        with task.reported():
            self._vectorizer = Vectorizer(**task.opening)
            if self._vectorizer.fingerprint != task.fingerprint:
                raise CommandError(
                    f"{task.opening['model']}: a machine of the cluster has another model by this name than this one. "
                    "Give all of them the same."
                )
        form = task.job.form
        self._width, self._dtype = self._vectorizer.width_of(form), code_type(form.quantization)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Rows of `_READ` to rows of the output, fewer by those that cannot be embedded."""
        task = self._task
        listed: list[Listed] = []
        blocks = [np.empty((0, self._width), self._dtype)]
        with task.reported():
            for each in embedded(
                tokenized(_chunks(batch.to_pylist()), task.job, self._vectorizer), task.job, self._vectorizer
            ):
                self._reject(each.chunk)
                blocks += [] if each.vectors is None else [each.vectors]
                listed += [
                    Listed(record.id or "", record.text, record.metadata, dropped)
                    for record, dropped in zip(each.chunk.records, each.dropped, strict=True)
                ]
        return table_of(listed, np.concatenate(blocks), _schema(task.job, self._width))

    def _reject(self, chunk: Chunk) -> None:
        if not chunk.rejections:
            return
        if not self._task.leaves_out:
            name, (line, reason) = self._task.job.files[chunk.file], chunk.rejections[0]
            raise CommandError(
                f"{name}, line {line}: {reason} With --rejected FILE such records are left out and listed."
            )
        lines = [orjson.dumps([chunk.file, *rejection]) + b"\n" for rejection in chunk.rejections]
        (self._task.directory / "rejected" / uuid.uuid4().hex).write_bytes(b"".join(lines))


def embed_on_ray(
    job: Job, output: Path, vectorizer: Vectorizer, opening: Opening, *, address: str, rejected: Path | None
) -> Done:
    """Write a directory of Parquet files, which appears whole or not at all.

    Args:
        job: as for one machine.
        output: the directory, which must not be there.
        vectorizer: the caller's model.
        opening: how the workers open it.
        address: of the cluster; `local` starts one here.
        rejected: as for one machine.

    Raises CommandError.
    """
    job = replace(job, files=tuple(map(os.path.abspath, job.files)))  # workers are in another directory
    if Path(opening["model"]).is_dir():
        opening = Opening(**{**opening, "model": os.path.abspath(opening["model"])})
    if output.exists():
        raise CommandError(f"{output}: it is there already. Remove it, or give another --output.")
    directory = output.absolute().with_name(f"{output.name}.partial")
    remove_partial(directory)
    for name in ("parts", "rejected", "failed"):
        (directory / name).mkdir(parents=True)
    task = Task(job, opening, vectorizer.fingerprint, directory, leaves_out=rejected is not None)
    try:
        with _connected(address), _told(directory / "failed"):
            _embedded(task).write_parquet(
                str(directory / "parts"), min_rows_per_file=_FILE_ROWS, compression="zstd", use_dictionary=False
            )
        done = _counted(directory / "parts")
        if rejected is not None:
            _list_rejected(job, directory / "rejected", rejected, done)
        os.replace(directory / "parts", output)
    finally:
        remove_partial(directory)
    sync_directory(output.absolute().parent)
    return done


def _embedded(task: Task) -> Dataset:
    read = ray.data.read_datasource(Records(task)).repartition(target_num_rows_per_block=_TASK_ROWS)
    return read.map_batches(
        Worker,
        fn_constructor_args=(task,),
        batch_size=task.job.rows,
        batch_format="pyarrow",
        num_cpus=task.opening["threads"],
        compute=ActorPoolStrategy(size=_workers(task.opening["threads"])),
    )


def _workers(threads: int) -> int:
    """How many fit onto the machines, with a core left to read and to write."""
    cores = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    workers = min(sum(each // threads for each in cores), (sum(cores) - 1) // threads)
    if workers < 1:
        raise CommandError(
            f"The cluster has machines of {', '.join(map(str, sorted(cores)))} cores; a worker needs {threads} on one "
            "machine, and one more core reads and writes. Give fewer --threads, or add a machine."
        )
    return workers


def _read(task: Task, number: int) -> Iterator[pa.Table]:
    """One file, as rows of `_READ`."""
    ids, name = Ids(task.job.files, task.job.id_prefix), task.job.files[number]
    with task.reported():
        for chunk in chunks_of(task.job, Done(file=number), last=number):
            rows = [_row(number, record, ids.of(name, record.line)) for record in chunk.records]
            rows += [{"file": number, "line": line, "reason": reason} for line, reason in chunk.rejections]
            yield pa.Table.from_pylist(rows, schema=_READ)


def _row(number: int, record: Record, made_id: str) -> dict[str, Any]:
    return {
        "file": number,
        "line": record.line,
        "id": made_id if record.id is None else str(record.id),
        "text": record.text,
        "metadata": None if record.metadata is None else orjson.dumps(record.metadata).decode(),
        "reason": None,
    }


def _chunks(rows: list[dict[str, Any]]) -> Iterator[Chunk]:
    """What was read, as the stages of one machine take it: a file at a time."""
    for number, some in groupby(rows, key=lambda row: row["file"]):
        chunk = Chunk(number, 0, 0, 0)
        for row in some:
            if row["reason"] is not None:
                chunk.rejections.append(Rejection(row["line"], row["reason"]))
                continue
            metadata = None if row["metadata"] is None else orjson.loads(row["metadata"])
            chunk.records.append(Record(row["line"], row["id"], row["text"], None, metadata))
        yield chunk


def _schema(job: Job, width: int) -> Any:
    return schema_of(
        width,
        code_type(job.form.quantization),
        integers=False,
        text=job.with_text,
        metadata=bool(job.options.metadata_fields),
    )


def _counted(parts: Path) -> Done:
    written = dataset.dataset(parts, format="parquet")
    return Done(
        rows=written.count_rows(),
        truncated=written.count_rows(filter=dataset.field("dropped_tokens") > 0) if written.schema.names else 0,
    )


def _list_rejected(job: Job, left_out: Path, rejected: Path, done: Done) -> None:
    """One file of what all workers left out, in the order of the input; what was done twice is listed once."""
    found = {tuple(orjson.loads(line)) for path in left_out.iterdir() for line in path.read_bytes().splitlines()}
    lines = [{"file": job.files[file], "line": line, "reason": reason} for file, line, reason in sorted(found)]
    rejected.write_bytes(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
    done.rejected, done.examples = len(lines), lines[:_EXAMPLES]


@contextmanager
def _connected(address: str) -> Iterator[None]:
    given: dict[str, Any] = (
        {"include_dashboard": False, "num_cpus": max(2, usable_cores())} if address == "local" else {}
    )
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    _require_reachable(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **given)
    except ConnectionError as error:
        raise CommandError(_NOBODY.format(address)) from error
    DataContext.get_current().enable_progress_bars = sys.stderr.isatty()
    try:
        yield
    finally:
        ray.shutdown()


def _require_reachable(address: str) -> None:
    """Ray itself waits for minutes; raises CommandError."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit() and "//" not in host:
        try:
            socket.create_connection((host, int(port)), _REACHABLE_WITHIN_S).close()
        except OSError as error:
            raise CommandError(_NOBODY.format(address)) from error


@contextmanager
def _told(failed: Path) -> Iterator[None]:
    """Raise what a machine of the cluster has reported, instead of what Ray makes of it."""
    try:
        yield
    except Exception as error:
        reported = sorted(path.read_text(encoding="utf-8") for path in failed.iterdir())
        if not reported:
            raise
        raise CommandError(reported[0]) from error
