"""Open a model to serve it: the quick way where that is possible, and else the ordinary one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models.config import EncoderConfig, Kind, Pooling, token_limit
from models.errors import CheckpointError
from models.fingerprint import fingerprint
from models.inspection import inspect_directory
from models.manifest import CARD, read_json
from models.prompts import Prompts, read_prompts
from models.recognize import recognize
from models.runtime.base import Device, Precision, PrecisionSetting, Runtime
from models.runtime.native.available import REASON, lacking, wanted
from models.runtime.native.from_bundle import BundleWeights, NeedsTorch, read_bundle
from models.runtime.native.runtime import NativeRuntime
from models.runtime.unsupported import UnsupportedArchitecture
from models.text import TextTokenizer

_DRIVER = Path("/dev/nvidiactl")  # there where an NVIDIA driver is: asking torch would cost its import


@dataclass(frozen=True, slots=True)
class ServedCheckpoint:
    """What a service tells of a model. The weights are in its runtime alone."""

    name: str
    kind: Kind
    tokenizer: TextTokenizer
    config: EncoderConfig
    pooling_reason: str
    fingerprint: str
    grounded_dimension: int | None
    prompts: Mapping[str, str] = field(default_factory=dict)
    """What may stand before a text, by name; see `models.prompts.Prompts`"""
    default_prompt_name: str | None = None

    @property
    def pooling(self) -> Pooling:
        """How token states become a sentence vector."""
        return self.config.pooling

    @property
    def max_tokens(self) -> int:
        """Longest input in tokens."""
        return self.config.max_tokens

    @property
    def dimension(self) -> int:
        """Width of a sentence vector."""
        return self.config.dimension


def open_to_serve(
    name: str,
    *,
    pooling: Pooling | None = None,
    precision: PrecisionSetting = "auto",
    device: Device = "auto",
    threads: int,
) -> tuple[ServedCheckpoint, Runtime]:
    """A model and the fastest runtime for it. Bundles that our kernels compute are opened without torch.

    Args:
        name: what `models.load` takes.
        pooling: use this pooling instead of what the directory says.
        precision: as for `models.open_runtime`.
        device: likewise.
        threads: how many threads compute.

    Raises:
        CheckpointError: as `models.load`.
        PrecisionError: as `models.open_runtime`.
    """
    directory, chosen = Path(name).expanduser(), wanted(precision)
    on_cpu = device == "cpu" or (device == "auto" and not _DRIVER.exists())
    if on_cpu and lacking(chosen) is None and (directory / CARD).is_file():
        try:
            return _open_quickly(directory.resolve(), pooling, chosen, threads)
        except (
            NeedsTorch,
            UnsupportedArchitecture,
            CheckpointError,
            LookupError,
            TypeError,
            ValueError,
            ArithmeticError,
        ):
            pass  # the ordinary way opens it, or says better what is wrong
    return _open_ordinarily(name, pooling, precision, device, threads)


def _open_quickly(
    directory: Path, pooling: Pooling | None, precision: Precision, threads: int
) -> tuple[ServedCheckpoint, Runtime]:
    inspect_directory(directory)
    known, prompts = recognize(directory, directory.name), read_prompts(directory)
    config = read_json(directory / "config.json")
    read = read_bundle(directory, config, pooling or known.pooling)
    limit = token_limit(config["model_type"], config["max_position_embeddings"], known.max_tokens)
    encoder = EncoderConfig(
        pooling=pooling or known.pooling,
        max_tokens=limit,
        dimension=read.weights.words.shape[1],
    )
    tokenizer = TextTokenizer.from_file(
        directory / "tokenizer.json", max_tokens=encoder.max_tokens, pad_id=int(config["pad_token_id"])
    )
    tokenizer.require_known(len(read.weights.words))
    runtime = NativeRuntime(
        read.weights,
        read.heads,
        pooling=encoder.pooling,
        max_tokens=encoder.max_tokens,
        precision=precision,
        threads=threads,
        reason=REASON,
    )
    reason = "asked for by the caller" if pooling else known.reason
    return _served(directory.name, read, config, tokenizer, encoder, reason, runtime, prompts), runtime


def _served(
    name: str,
    read: BundleWeights,
    config: dict[str, object],
    tokenizer: TextTokenizer,
    encoder: EncoderConfig,
    reason: str,
    runtime: Runtime,
    prompts: Prompts,
) -> ServedCheckpoint:
    return ServedCheckpoint(
        name=name,
        kind="bundle",
        tokenizer=tokenizer,
        config=encoder,
        pooling_reason=reason,
        fingerprint=fingerprint(config, read.named.items(), tokenizer.to_json(), encoder),
        grounded_dimension=runtime.grounded_dimension,
        prompts=prompts.named,
        default_prompt_name=prompts.default,
    )


def _open_ordinarily(
    name: str, pooling: Pooling | None, precision: PrecisionSetting, device: Device, threads: int
) -> tuple[ServedCheckpoint, Runtime]:
    from models.loader import load
    from models.runtime.select import open_runtime

    checkpoint = load(name, pooling=pooling)
    runtime = open_runtime(checkpoint, precision=precision, device=device, threads=threads)
    return (
        ServedCheckpoint(
            name=checkpoint.name,
            kind=checkpoint.kind,
            tokenizer=checkpoint.tokenizer,
            config=checkpoint.config,
            pooling_reason=checkpoint.pooling_reason,
            fingerprint=checkpoint.fingerprint,
            grounded_dimension=checkpoint.grounded_dimension,
            prompts=checkpoint.prompts,
            default_prompt_name=checkpoint.default_prompt_name,
        ),
        runtime,
    )
