"""`mcse prepare`: published data sets into the files of a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from models.told import told_in_one_sentence
from training.errors import DataError

if TYPE_CHECKING:
    from training.prepare.captions import Kind
    from training.prepare.directory import Prepared

app = typer.Typer(help="Make the files of a run from a published data set.", no_args_is_help=True)

OutputOption = Annotated[Path, typer.Option("--output", "-o", help="Folder to make; it appears whole or not at all.")]
SplitOption = Annotated[
    list[Path] | None,
    typer.Option("--split", help="List of image ids to keep, one a line; may be given again.", show_default="all"),
]
ExcludeOption = Annotated[
    Path | None, typer.Option("--exclude", help="List of image ids to leave out, of any edition of the data set.")
]
CaptionsOption = Annotated[
    Literal["one", "all"], typer.Option(help="Draw one caption per image, as the paper does, or keep all.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of what is drawn.")]


@app.command()
def flickr30k(
    source: Annotated[
        Path,
        typer.Argument(
            help="results_20130124.token, the Sentences folder of Flickr30k Entities, or the raw captions of Multi30k."
        ),
    ],
    output: OutputOption,
    split: SplitOption = None,
    exclude: ExcludeOption = None,
    captions: CaptionsOption = "one",
    seed: SeedOption = 0,
) -> None:
    """Captions of Flickr30k."""
    _captions("flickr30k", source, output, split, exclude, captions, seed)


@app.command()
def flickr8k(
    source: Annotated[Path, typer.Argument(help="Flickr8k.token.txt.")],
    output: OutputOption,
    split: SplitOption = None,
    exclude: ExcludeOption = None,
    captions: CaptionsOption = "one",
    seed: SeedOption = 0,
) -> None:
    """Captions of Flickr8k."""
    _captions("flickr8k", source, output, split, exclude, captions, seed)


@app.command()
def coco(
    source: Annotated[Path, typer.Argument(help="captions_train2014.json or another of COCO's caption files.")],
    output: OutputOption,
    split: SplitOption = None,
    exclude: ExcludeOption = None,
    captions: CaptionsOption = "one",
    seed: SeedOption = 0,
) -> None:
    """Captions of MS-COCO; one of an image's first five."""
    _captions("coco", source, output, split, exclude, captions, seed)


@app.command()
def wiki(
    source: Annotated[Path, typer.Argument(help="Text, plain or gzip, or a folder of such files.")],
    output: OutputOption,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Sentences to draw, kept in their order.", show_default="all")
    ] = None,
    seed: SeedOption = 0,
    min_words: Annotated[int, typer.Option(min=1, help="Drop shorter sentences.")] = 5,
    max_words: Annotated[int, typer.Option(min=1, help="Drop longer sentences.")] = 50,
    documents: Annotated[
        bool, typer.Option("--documents", help="A line is a document or a paragraph: split it into sentences.")
    ] = False,
    deduplicate: Annotated[bool, typer.Option("--deduplicate", help="Keep the first of equal sentences.")] = False,
) -> None:
    """One clean sentence a line, from Wikipedia or any other text."""
    with told_in_one_sentence(DataError):
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        from training.prepare.wiki import SENTENCES, WikiOptions, prepare_wiki

        options = WikiOptions(limit, seed, min_words, max_words, documents, deduplicate)
        columns = SpinnerColumn(), TextColumn("{task.completed:.0f} lines read"), TimeElapsedColumn()
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("reading", total=None)
            done = prepare_wiki(source, output, options, lambda count: bar.update(task, completed=count))
        _tell(output, done, f"{done.counts['sentences']} sentences in {output / SENTENCES}")


@app.command()
def shapes(output: OutputOption, seed: SeedOption = 0) -> None:
    """A small drawn world for a first run: shapes, captions, sentences. It needs no data and takes a second."""
    with told_in_one_sentence(DataError):
        from training.prepare.shapes import prepare_shapes

        done = prepare_shapes(output, seed=seed)
        _tell(output, done, f"{done.counts['images']} pictures in {output / 'images'}")


def _captions(
    kind: "Kind",
    source: Path,
    output: Path,
    split: list[Path] | None,
    exclude: Path | None,
    captions: Literal["one", "all"],
    seed: int,
) -> None:
    with told_in_one_sentence(DataError):
        from training.prepare.captions import CAPTIONS, CaptionOptions, prepare_captions

        options = CaptionOptions(tuple(split or ()), exclude, captions, seed)
        done = prepare_captions(kind, source, output, options)
        counts = done.counts
        _tell(output, done, f"{counts['captions']} captions of {counts['images']} images in {output / CAPTIONS}")


def _tell(output: Path, done: "Prepared", told: str) -> None:
    if done.already:
        told = f"{output}: prepared before with these settings, nothing to do; {told}"
    dropped = ", ".join(f"{count} {reason}" for reason, count in done.counts["dropped"].items())
    typer.echo(told + (f"; dropped: {dropped}" if dropped else ""), err=True)
