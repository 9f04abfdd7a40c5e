"""What `mcse embed` is asked for, and what has become of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict

from models.config import Pooling
from models.runtime.base import PrecisionSetting
from models.vectorizer import Vectorizer
from models.vectors import VectorForm
from service.commands.embedding.table import require_pyarrow
from service.commands.errors import CommandError
from service.importing.files import STDIN, FileFormat, identity_of
from service.importing.options import ReadOptions

OutputFormat: TypeAlias = Literal["npy", "safetensors", "parquet"]

_FORMATS: Mapping[str, OutputFormat] = {".npy": "npy", ".safetensors": "safetensors", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True)
class Job:
    """Which texts, and what is to be made of them."""

    files: tuple[str, ...]
    format: FileFormat | None
    options: ReadOptions
    id_prefix: str | None
    form: VectorForm
    prompt: str
    """Stands before each text"""
    truncate: bool
    with_text: bool
    """Parquet only"""
    rows: int
    """Of a chunk: what is encoded together, and gone on from"""

    def told(self) -> dict[str, Any]:
        """All that vectors and rows depend on, but for files and model, as plain JSON."""
        options = asdict(self.options)
        return {
            "format": self.format,
            "id_prefix": self.id_prefix,
            **asdict(self.form),
            "prompt": self.prompt,
            "truncate": self.truncate,
            "with_text": self.with_text,
            "fields": {**options, "metadata_fields": sorted(self.options.metadata_fields or ())},
        }


class Opening(TypedDict):
    """How a model is opened: what `Vectorizer` takes."""

    model: str
    precision: PrecisionSetting
    threads: int
    pooling: Pooling | None


@dataclass(slots=True)
class Done:
    """How far a run has come; this is what one that was cut off knows of itself."""

    file: int = 0
    """Number of the file that is being read"""
    items: int = 0
    """Records and rejections of it that are done with"""
    line: int = 0
    """Of it, the last one that was looked at"""
    read: int = 0
    rows: int = 0
    """Vectors that are written"""
    listed_bytes: int = 0
    """Of the file that tells whose vectors they are"""
    integers: bool = True
    """All ids are integers"""
    truncated: int = 0
    rejected: int = 0
    rejected_bytes: int = 0
    """Of the file of rejections"""
    examples: list[dict[str, Any]] = field(default_factory=list)
    """The first rejections"""


def format_of_output(output: Path) -> OutputFormat:
    """The format that the file's name tells; raises CommandError."""
    found = _FORMATS.get(output.suffix.lower())
    if found is None:
        raise CommandError(f"{output}: its name does not tell its format. Known are {', '.join(_FORMATS)}.")
    return found


def require_output(output: Path) -> None:
    """Raises CommandError where the output could not be written in the end, before hours of work."""
    if not output.parent.is_dir():
        raise CommandError(f"{output.parent}: there is no such directory to write into.")
    if format_of_output(output) == "parquet":
        require_pyarrow()


def require_ray(job: Job, output: Path, *, resume: bool) -> None:
    """Raises CommandError where the job is none for Ray, or Ray is not installed."""
    try:
        import ray.data  # noqa: F401
    except ModuleNotFoundError as error:
        raise CommandError(
            f"--ray needs {error.name}, which is not installed. Install it: pip install '.[ray]'"
        ) from error
    if format_of_output(output) != "parquet":
        raise CommandError(
            f"{output}: on Ray the output is a directory of Parquet files. Give a name that ends in .parquet."
        )
    if STDIN in job.files:
        raise CommandError("Standard input is on this machine alone; with --ray give files that all machines see.")
    if resume:
        raise CommandError("A job on Ray starts anew: leave out --resume.")


def task_of(job: Job, output: Path, vectorizer: Vectorizer) -> dict[str, Any]:
    """What must be the same for a run to go on, as plain JSON; raises SourceError."""
    return {
        "output": output.name,
        "model": vectorizer.fingerprint,
        "runtime": vectorizer.runtime,
        "files": [{"name": name, **asdict(identity_of(name))} for name in job.files],
        **job.told(),
    }
