"""`mcse features`: pictures into the feature file of a run."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from models.errors import CheckpointError
from models.told import told_in_one_sentence
from training.errors import DataError


def features(
    images: Annotated[
        Path, typer.Argument(help="Folder of pictures: JPEG, PNG, WebP and BMP, in folders below it too.")
    ],
    encoder: Annotated[str, typer.Option(help="Vision model: a directory, package:NAME, or hub id.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write: .npz, .h5, .hdf5 or .safetensors.")],
    listed: Annotated[
        Path | None,
        typer.Option("--list", help="Ids to take, one a line, in this order.", show_default="all pictures, sorted"),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures encoded at a time.")] = 32,
    dtype: Annotated[Literal["float16", "float32"], typer.Option(help="Of the numbers in the file.")] = "float32",
) -> None:
    """Encode pictures with a fixed vision model, once, for all runs to come.

    Pictures that cannot be read are listed beside the output. Stopped at any point, the same call goes on.
    """
    with told_in_one_sentence(CheckpointError, DataError):
        import torch
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from models.images import ImageEncoder
        from training.features.extract import Extraction, extract
        from training.features.record import skipped_path

        model = ImageEncoder.load(encoder, device=torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        columns = TextColumn("pictures"), BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn()
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("pictures", total=None)
            try:
                done = extract(
                    Extraction(images, output, listed, batch_size, dtype),
                    model,
                    lambda count, total: bar.update(task, completed=count, total=total),
                )
            except KeyboardInterrupt:
                typer.echo("Stopped. The same call goes on where this one ended.", err=True)
                raise typer.Exit(130) from None
        before = f"{output}: made before of these pictures with these settings, nothing to do; " if done.already else ""
        missing = f"; {done.skipped} could not be read, see {skipped_path(output)}" if done.skipped else ""
        typer.echo(f"{before}{done.features} x {done.width} features ({model.layer}) in {output}{missing}", err=True)
