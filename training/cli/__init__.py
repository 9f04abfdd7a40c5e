"""The commands of training, one file each. Heavy imports wait until a command runs, so that --help is quick."""

import typer

from training.cli.contamination import contamination
from training.cli.evaluate import evaluate
from training.cli.features import features
from training.cli.prepare import app as prepare
from training.cli.reports import compare, report, sweep
from training.cli.train import train

app = typer.Typer(help="Train and evaluate sentence encoders.", no_args_is_help=True)
for command in (train, evaluate, contamination, features, report, sweep, compare):
    app.command()(command)
app.add_typer(prepare, name="prepare")
