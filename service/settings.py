"""Every setting of the service: its name, default, bounds and meaning. Read once, then frozen.

A setting is a field of `Settings`, the environment variable `MCSE_<NAME>` and the flag `--<name>`
of `mcse serve`. A flag wins over the environment, the environment over the default.
"""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.config import Pooling
from models.cores import usable_cores
from models.shipped import SHIPPED
from service.access.keys import SENT_KEY, SENT_KEY_OF_SOURCE, keys_in_list
from service.access.origins import origins_in_list
from service.access.proxies import networks_in_list
from service.errors import SettingsError

PREFIX = "MCSE_"
# Read by training and evaluation, and by the commands that call a service.
FOREIGN_VARIABLES = frozenset({"MCSE_DATA", "MCSE_CACHE", SENT_KEY, SENT_KEY_OF_SOURCE})

# As in models.runtime, which loads NumPy before its threads are limited; a test compares them.
PrecisionSetting = Literal["auto", "float32", "bfloat16", "int8"]
Device = Literal["auto", "cpu", "cuda"]
SearchPlace = Literal["embedded", "qdrant"]
LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(BaseSettings):
    """The resolved settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface.")
    port: int = Field(8080, ge=0, le=65_535, description="Port to listen on; 0 picks a free one.")
    model: str = Field(
        str(SHIPPED),
        min_length=1,
        description="Checkpoint: a directory, or the id of a Hugging Face model.",
    )
    pooling: Pooling | None = Field(None, description="Override the pooling that the checkpoint asks for.")
    data_dir: Path = Field(Path("data"), description="Where collections are stored.")
    search: SearchPlace = Field(
        "embedded", description="Where collections are: in the data directory, or in a Qdrant cluster."
    )
    qdrant_url: str | None = Field(None, description="Address of Qdrant, such as http://localhost:6333.")
    qdrant_api_key: SecretStr | None = Field(None, description="Key for Qdrant; never logged.")
    qdrant_shards: int | None = Field(None, ge=1, le=10_000, description="Shards of new collections; Qdrant's default.")
    qdrant_replicas: int | None = Field(None, ge=1, le=100, description="Copies of each shard; Qdrant's default.")
    threads: int = Field(0, ge=0, le=1024, description="Threads of the encoder; 0 is one per usable core.")
    precision: PrecisionSetting = Field("auto", description="Numbers of the matrix products; auto suits the processor.")
    device: Device = Field("auto", description="Where the encoder runs; auto takes a GPU where there is one.")
    max_body_bytes: int = Field(
        4 * 1024 * 1024,
        ge=1024,
        description="Largest request body; holds a full request of sentences or points.",
    )
    accept_token_ids: bool = Field(
        False, description="Take token ids in the place of texts; they must be of this model's own tokenizer."
    )
    max_items: int = Field(2048, ge=1, le=65_536, description="Most texts in one embed request.")
    max_points_per_request: int = Field(256, ge=1, le=65_536, description="Most points in one write.")
    max_chars: int = Field(
        8192,
        ge=1,
        description="Most characters in a text; longer ones only cost time before they are cut.",
    )
    max_metadata_bytes: int = Field(16_384, ge=2, description="Most bytes of a point's metadata, as compact JSON.")
    max_limit: int = Field(100, ge=1, le=10_000, description="Most hits per query (top k).")
    max_hits: int = Field(
        1280, ge=1, le=1_000_000, description="Most hits of one search: queries x limit; each brings text and metadata."
    )
    max_snapshot_bytes: int = Field(
        16 * 1024**3, ge=1024, description="Largest snapshot that is taken as an upload; it is on the disk meanwhile."
    )
    max_pending: int = Field(4096, ge=1, description="Texts admitted at one time; beyond it requests get 429.")
    max_batch_tokens: int = Field(
        0, ge=0, description="Tokens encoded together; 0 tries out at the first start how many suit this machine."
    )
    vector_cache_mb: int = Field(0, ge=0, le=1_000_000, description="Memory for vectors of seen texts; 0 is none.")
    max_points: int = Field(
        1_000_000, ge=1, description="Most points in the store; memory is points x dimension x 4 B."
    )
    request_timeout_s: float = Field(30.0, gt=0, le=3600, description="Seconds until a request is given up with 504.")
    drain_s: int = Field(20, ge=0, le=3600, description="Seconds that running requests get after SIGTERM.")
    max_connections: int = Field(512, ge=1, description="Open connections; further ones are closed at once.")
    api_keys: SecretStr | None = Field(
        None, description="Keys that are asked for, ROLE:NAME:KEY,...; none is an open service. Others see a flag."
    )
    api_keys_file: Path | None = Field(None, description="File of such keys, one a line; read again when it changes.")
    rate_limit: int = Field(0, ge=0, le=10_000_000, description="Requests a minute of one key, or address; 0 is any.")
    concurrency_limit: int = Field(
        0, ge=0, le=100_000, description="Requests at a time of one key, or address; 0 is any number."
    )
    tls_cert: Path | None = Field(None, description="Certificate and its chain, as PEM; with it HTTPS is spoken.")
    tls_key: Path | None = Field(None, validate_default=True, description="Private key of the certificate, as PEM.")
    trusted_proxies: str = Field(
        "", description="Addresses and networks whose X-Forwarded-For is believed, separated by commas."
    )
    cors_origins: str = Field(
        "", description="Origins whose web pages may call the service, separated by commas; * needs keys."
    )
    log_level: LogLevel = Field("info", description="Least severe log lines to write.")
    docs: bool = Field(True, description="Serve /docs and /openapi.json.")

    @model_validator(mode="after")
    def _qdrant_has_an_address(self) -> Self:
        if self.search == "qdrant" and not self.qdrant_url:
            raise ValueError("qdrant needs MCSE_QDRANT_URL, such as http://localhost:6333")
        return self

    @field_validator("api_keys")
    @classmethod
    def _keys_are_readable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            keys_in_list(value.get_secret_value())
        return value

    @field_validator("tls_key")
    @classmethod
    def _tls_has_both(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if (value is None) != (info.data.get("tls_cert") is None):
            raise ValueError(f"TLS takes two files, {PREFIX}TLS_CERT and {PREFIX}TLS_KEY; set both or none")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, value: str) -> str:
        networks_in_list(value)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_safe(cls, value: str, info: ValidationInfo) -> str:
        has_keys = any(info.data.get(name) is not None for name in ("api_keys", "api_keys_file"))
        if "*" in origins_in_list(value) and not has_keys:
            raise ValueError(
                "* would let every web page that somebody opens here read and change the data; name the origins, or "
                f"set {PREFIX}API_KEYS_FILE"
            )
        return value

    @field_validator("max_hits")
    @classmethod
    def _one_query_fits(cls, value: int, info: ValidationInfo) -> int:
        return _at_least(value, info, "max_limit")

    @field_validator("max_pending")
    @classmethod
    def _one_request_fits(cls, value: int, info: ValidationInfo) -> int:
        return _at_least(value, info, "max_items", "max_points_per_request")

    @property
    def has_keys(self) -> bool:
        """Whether a key is asked for."""
        return self.api_keys is not None or self.api_keys_file is not None

    @property
    def encoder_threads(self) -> int:
        """`threads`, or one per usable core where it is 0."""
        return self.threads or usable_cores()


def _at_least(value: int, info: ValidationInfo, *names: str) -> int:
    """`value`, unless one of the settings `names` is larger; one that is wrong itself is told of first."""
    largest = max(names, key=lambda name: info.data.get(name, 0))
    if value < info.data.get(largest, 0):
        raise ValueError(f"must be at least {info.data[largest]}, which is {PREFIX}{largest.upper()}")
    return value


def load_settings(**flags: Any) -> Settings:
    """Settings from flags, then the environment, then defaults.

    Raises SettingsError, which names the first wrong setting and what it should be.
    """
    _refuse_unknown(os.environ)
    try:
        settings = Settings(**flags)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "search"
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"Setting {PREFIX}{name.upper()}: {reason}.") from None
    if os.environ.get(SENT_KEY) and not settings.has_keys:
        raise SettingsError(
            f"{SENT_KEY} is the key that commands send. Those that the service asks for are in {PREFIX}API_KEYS or in "
            f"{PREFIX}API_KEYS_FILE; without one of them it is open to everybody."
        )
    return settings


def _refuse_unknown(variables: Iterable[str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | FOREIGN_VARIABLES
    for variable in sorted(variables):
        if variable.upper().startswith(PREFIX) and variable.upper() not in known:
            nearest = difflib.get_close_matches(variable.upper(), sorted(known), n=1, cutoff=0)
            raise SettingsError(f"Unknown setting {variable}; the nearest known is {nearest[0]}.")
