"""`mcse embed`: the texts of files of any size into vectors, without a server."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from models.config import Pooling
from models.cores import usable_cores
from models.errors import CheckpointError, OptionError, PrecisionError
from models.shipped import SHIPPED
from models.told import told_in_one_sentence
from service.commands.options import NAMED, ResumeOption, Space
from service.commands.reading import (
    DelimiterOption,
    FilesArgument,
    FormatOption,
    IdFieldOption,
    IdPrefixOption,
    TextFieldOption,
    TypesOption,
    delimiter_of,
    types_of,
)

if TYPE_CHECKING:
    from service.commands.embedding.job import Done

STDIN = "-"
_CORES_PER_TOKENIZER = 16  # so many encode what one tokenizes


def embed(
    files: FilesArgument,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="File to write: .npy or .safetensors, a row per text; .parquet with ids."),
    ],
    format: FormatOption = None,
    id_field: IdFieldOption = "id",
    text_field: TextFieldOption = "text",
    metadata: Annotated[
        list[str] | None,
        typer.Option("--metadata", help="Parquet: field to keep as metadata; may be given again.", show_default="none"),
    ] = None,
    types: TypesOption = None,
    delimiter: DelimiterOption = ",",
    id_prefix: IdPrefixOption = None,
    with_text: Annotated[bool, typer.Option("--with-text", help="Parquet: write the texts too.")] = False,
    model: Annotated[
        str, typer.Option("--model", envvar="MCSE_MODEL", help="Model directory, package:NAME, or hub id.")
    ] = str(SHIPPED),
    pooling: Annotated[
        Pooling | None,
        typer.Option("--pooling", envvar="MCSE_POOLING", help="Instead of what the checkpoint says."),
    ] = None,
    space: Annotated[Space, typer.Option(help="The sentence's vectors, or those shared with images.")] = "sentence",
    normalize: Annotated[bool, typer.Option(help="Scale each vector to length 1.")] = True,
    dimensions: Annotated[
        int | None, typer.Option(min=1, help="Numbers of a vector to keep, before the scaling.", show_default="all")
    ] = None,
    quantization: Annotated[
        Literal["float32", "int8", "uint8", "binary", "ubinary"], typer.Option(help="Numbers to write.")
    ] = "float32",
    prompt_name: Annotated[
        str | None,
        typer.Option(help="The model's prompt to put before each text.", show_default="its default prompt"),
    ] = None,
    truncate: Annotated[bool, typer.Option(help="Cut texts that are too long; else they are rejected.")] = True,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts encoded at a time.")] = 2048,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "int8"],
        typer.Option(envvar="MCSE_PRECISION", help="Numbers to compute in; auto is what the hardware multiplies fast."),
    ] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Threads of the encoder; 0 is one per usable core.")] = 0,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Run on a Ray cluster: its address, auto, or local to start one. Writes a directory of Parquet files.",
            show_default="on this machine",
        ),
    ] = None,
    resume: ResumeOption = False,
    rejected: Annotated[
        Path | None,
        typer.Option(
            help="File for records that cannot be embedded, as JSONL; they are left out. Else the first ends the run."
        ),
    ] = None,
) -> None:
    """Turn the texts of files into vectors. The output appears whole or not at all.

    Stopped at any point, the same call with --resume goes on; what is done is in OUTPUT.partial until then.

    Example: mcse embed captions.jsonl --output captions.parquet --with-text
    """
    with (
        told_in_one_sentence(CheckpointError, PrecisionError, OptionError, *NAMED),
        _stopped(can_go_on=ray is None and STDIN not in files),
    ):
        from models.vectorizer import Vectorizer
        from models.vectors import VectorForm
        from service.commands.embedding.job import Job, Opening, require_output, require_ray
        from service.commands.embedding.run import embed_files
        from service.importing.options import ReadOptions

        require_output(output)
        options = ReadOptions(
            id_field=id_field,
            text_field=text_field,
            vector_field=None,
            metadata_fields=frozenset(metadata or ()),
            types=types_of(types),
            delimiter=delimiter_of(delimiter),
        )
        form = VectorForm(space, normalize, dimensions, quantization)
        opening = Opening(
            model=model, precision=precision, threads=threads or (usable_cores() if ray is None else 1), pooling=pooling
        )
        vectorizer = Vectorizer(**opening)
        job = Job(
            files=tuple(files),
            format=format or ("text" if files == [STDIN] else None),
            options=options,
            id_prefix=id_prefix,
            form=form,
            prompt=vectorizer.prompt_text(prompt_name),
            truncate=truncate,
            with_text=with_text,
            rows=batch_size,
        )
        if ray is None:
            _limit_tokenizer(vectorizer.runtime, opening["threads"])
            done = embed_files(job, output, vectorizer, resume=resume, rejected=rejected)
        else:
            require_ray(job, output, resume=resume)
            from service.commands.embedding.on_ray import embed_on_ray

            opening["precision"] = vectorizer.precision  # the same numbers on every machine
            done = embed_on_ray(job, output, vectorizer, opening, address=ray, rejected=rejected)
        _tell(done, output, rejected)


def _limit_tokenizer(runtime: str, threads: int) -> None:
    """The encoder shall have the cores, unless it is on a GPU: then the tokenizer is what all wait for."""
    tokenizers = threads if runtime.startswith("cuda") else -(-threads // _CORES_PER_TOKENIZER)
    os.environ["RAYON_NUM_THREADS"] = str(tokenizers)
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if tokenizers > 1 else "false"


@contextmanager
def _stopped(*, can_go_on: bool) -> Iterator[None]:
    """Ctrl-C ends a run with a sentence."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("Stopped; the same call with --resume goes on." if can_go_on else "Stopped.", err=True)
        raise typer.Exit(130) from None


def _tell(done: "Done", output: Path, rejected: Path | None) -> None:
    """The summary, on standard error."""
    note = f"; {done.truncated:,} were longer than the model reads and were cut" if done.truncated else ""
    typer.echo(f"{done.rows:,} texts to {output}{note}", err=True)
    if done.rejected:
        typer.echo(f"{done.rejected:,} records are left out; all of them are in {rejected}", err=True)
    for example in done.examples:
        typer.echo(f"  {example['file']}, line {example['line']}: {example['reason']}", err=True)
