"""Embed the records of files into one file, so that a run that was cut off can go on."""

import os
import time
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from models.ahead import one_ahead
from models.files import sync_directory
from models.vectorizer import Vectorizer
from models.vectors import code_type
from service.commands.embedding.chunks import Chunk, chunks_of
from service.commands.embedding.headers import NPY_BYTES, SAFETENSORS_BYTES, npy_header, safetensors_header
from service.commands.embedding.job import Done, Job, OutputFormat, format_of_output, task_of
from service.commands.embedding.partial import Listed, Partial, opened_partial, remove_partial
from service.commands.embedding.stages import Embedded, embedded, tokenized
from service.commands.embedding.table import schema_of, write_table
from service.commands.errors import CommandError
from service.commands.ids import Ids
from service.commands.progress import Update, bar
from service.commands.rejections import RejectionLog, rejection_log
from service.commands.state import State
from service.importing.files import size_of

_HEADER_BYTES: dict[OutputFormat, int] = {"npy": NPY_BYTES, "safetensors": SAFETENSORS_BYTES, "parquet": 0}
_SAVED_EVERY_S = 2.0  # a save waits for the disk; what a killed run did since the last one is done again
_EXAMPLES = 5  # rejections that the summary shows


class Embedding:
    """
    One run, which goes on from `done`. Each stage is a thread that is a chunk ahead of the next one:

        read -> tokenize -> encode (on the runtime's threads) -> write (the caller's thread)

    `log` is None where a record that cannot be embedded ends the run, `state` where it cannot go on later.
    """

    def __init__(
        self, job: Job, output: Path, vectorizer: Vectorizer, done: Done, log: RejectionLog | None, state: State | None
    ) -> None:
        self.done = done
        self._job = job
        self._output = output
        self._format = format_of_output(output)
        self._vectorizer = vectorizer
        self._width = vectorizer.width_of(job.form)
        self._dtype = code_type(job.form.quantization)
        self._ids = Ids(job.files, job.id_prefix)
        self._log = log
        self._state = state
        self._saved_at = 0.0

    def run(self, partial: Partial, update: Update) -> None:
        """Embed what is not done; raises SourceError, InvalidInput (a header) and CommandError."""
        read_before = self.done.read
        with ExitStack() as stages:  # the last one is closed first, and the file with the first one
            chunks = stages.enter_context(closing(chunks_of(self._job, self.done)))
            read = stages.enter_context(closing(one_ahead(chunks)))
            ready = stages.enter_context(closing(one_ahead(tokenized(read, self._job, self._vectorizer))))
            done = stages.enter_context(closing(one_ahead(embedded(ready, self._job, self._vectorizer))))
            for each in done:
                self.done = self._written(each, partial)
                self._save(partial)
                update(each.chunk.position, self.done.read - read_before)

    def finish(self, partial: Partial) -> None:
        """Put the output in its place."""
        about = {"fingerprint": self._vectorizer.fingerprint, "space": self._job.form.space}
        shape = (self.done.rows, self._width, self._dtype)
        if self._format == "parquet":
            job, integers = self._job, self.done.integers
            schema = schema_of(
                *shape[1:], integers=integers, text=job.with_text, metadata=bool(job.options.metadata_fields)
            )
            partial.sync()
            write_table(self._output, partial.vectors_path, partial.listed_path, schema, about)
            return
        partial.write_header(npy_header(*shape) if self._format == "npy" else safetensors_header(*shape, about))
        os.replace(partial.vectors_path, self._output)
        sync_directory(self._output.parent)

    def told(self, partial: Partial) -> dict[str, Any]:
        """What a run that goes on must know; what it counts is on disk."""
        partial.sync()
        return asdict(self.done)

    def _save(self, partial: Partial) -> None:
        if self._state is not None and time.monotonic() - self._saved_at > _SAVED_EVERY_S:
            self._state.save_now(self.told(partial))
            self._saved_at = time.monotonic()

    def _written(self, each: Embedded, partial: Partial) -> Done:
        """What is done after this chunk; raises CommandError where it ends the run."""
        chunk, done = each.chunk, replace(self.done)
        if chunk.rejections:
            self._reject(chunk, done)
        if each.vectors is not None:
            listed = self._listed(each) if self._format == "parquet" else []
            done.integers = done.integers and all(isinstance(row.id, int) for row in listed)
            done.listed_bytes = partial.append(each.vectors, listed)
        done.file, done.items, done.line = chunk.file, chunk.items, chunk.line
        done.read += len(chunk.records) + len(chunk.rejections)
        done.rows += len(chunk.records)
        done.truncated += sum(dropped > 0 for dropped in each.dropped)
        return done

    def _reject(self, chunk: Chunk, done: Done) -> None:
        name = self._job.files[chunk.file]
        if self._log is None:
            line, reason = chunk.rejections[0]
            raise CommandError(
                f"{name}, line {line}: {reason} With --rejected FILE such records are left out and listed."
            )
        lines = self._log.write(name, chunk.rejections)
        done.rejected += len(lines)
        done.rejected_bytes = self._log.size
        done.examples = [*done.examples, *lines][:_EXAMPLES]

    def _listed(self, each: Embedded) -> list[Listed]:
        name, job = self._job.files[each.chunk.file], self._job
        return [
            Listed(
                record.id if record.id is not None else self._ids.of(name, record.line),
                record.text if job.with_text else None,
                record.metadata,
                dropped,
            )
            for record, dropped in zip(each.chunk.records, each.dropped, strict=True)
        ]


def embed_files(job: Job, output: Path, vectorizer: Vectorizer, *, resume: bool, rejected: Path | None) -> Done:
    """Write the output, which appears whole or not at all; returns what has become of the records, those of runs before
    included.

    Raises CommandError, SourceError, OptionError, and InvalidInput for the header of a CSV.
    """
    directory = output.with_name(f"{output.name}.partial")
    row = vectorizer.width_of(job.form) * code_type(job.form.quantization).itemsize
    with ExitStack() as opened:
        sizes = [size_of(name) for name in job.files]
        state = State(directory / "state.json", task_of(job, output, vectorizer)) if None not in sizes else None
        done = _done_before(state) if resume else Done()
        header = _HEADER_BYTES[format_of_output(output)]
        partial = opened.enter_context(opened_partial(directory, header=header, row=row))
        partial.cut(done.rows, done.listed_bytes)
        log = opened.enter_context(rejection_log(rejected, done.rejected_bytes)) if rejected else None
        update = opened.enter_context(bar("embedding", sum(size or 0 for size in sizes) if state else None))
        run = Embedding(job, output, vectorizer, done, log, state)
        if state is None:
            opened.callback(remove_partial, directory)
            run.run(partial, update)
        else:
            with state.kept(lambda: run.told(partial)):
                run.run(partial, update)
        run.finish(partial)
    remove_partial(directory)
    return run.done


def _done_before(state: State | None) -> Done:
    if state is None:
        raise CommandError("What comes through a pipe cannot be read again, so --resume needs files.")
    saved = state.load()
    return Done() if saved is None else Done(**saved)
