"""Every way in which a file comes into mcse, as a function of its path, and the errors that they may raise."""

import json
from contextlib import closing
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from models.errors import CheckpointError
from service.commands.errors import CommandError
from service.errors import ServiceError, StartError
from service.importing.errors import SourceError
from training.errors import ConfigError, DataError, TrainingError

if TYPE_CHECKING:
    from service.search.embedded.collections import Collections

FINGERPRINT, SPACE, WIDTH = "f" * 64, "s", 8
_NEEDED = (
    "models.loader",
    "models.runtime.select",
    "models.serving",
    "pyarrow.parquet",
    "service.engine.calibration",
    "service.search.embedded.collections",
    "training.data.captions",
    "training.features.extract",
    "transformers.models.bert.modeling_bert",
)
NAMED = (CheckpointError, CommandError, ConfigError, DataError, ServiceError, SourceError, StartError, TrainingError)


def prepare() -> None:
    """Import what the doors need, once for all of them."""
    for name in _NEEDED:
        import_module(name)


def checkpoint(path: Path) -> str:
    """`mcse verify`, training, export."""
    from models.loader import load

    return load(path).fingerprint


def served(path: Path) -> str:
    """`mcse serve`, and a text through it."""
    from models.serving import open_to_serve

    opened, runtime = open_to_serve(str(path), threads=1)
    vectors = runtime.encode([each.ids for each in opened.tokenizer.encode(["a dog runs on the beach"])])
    return f"{opened.kind} {vectors.shape}"


def sentence_index(path: Path) -> str:
    """`Embedder.load_index`, and a search in it."""
    import numpy as np

    from models.sentence_index import read_index

    index = read_index(path, fingerprint=FINGERPRINT)
    return str(index.search(np.ones((1, WIDTH), np.float32), top_k=3, threshold=None))


def remembered(path: Path) -> str:
    """What a service remembers beside its store, of a machine and of a checkpoint."""
    from service.engine import budget, calibration

    model: Any = SimpleNamespace(fingerprint=FINGERPRINT, dimension=WIDTH, grounded_dimension=None)
    runtime: Any = SimpleNamespace(name="stub", threads=1)
    return str([budget.Remembered(path, model, runtime).read(), calibration.Remembered(path, model).read()])


def image_encoder(path: Path) -> str:
    """`mcse features`, its model."""
    from models.images import ImageEncoder

    return str(ImageEncoder.load(path).width)


def features(path: Path) -> str:
    """`mcse train`, its features of pictures."""
    from training.data.features import read_features

    return str(read_features(path).values.shape)


def captions(path: Path) -> str:
    """`mcse train`, its captions."""
    from training.data.captions import read_captions

    return str(len(read_captions(path)))


def config(path: Path) -> str:
    """`mcse train`, its settings."""
    from training.config.parse import load_config

    return str(load_config(path))


def pictures(path: Path) -> str:
    """`mcse features`, the pictures of a folder, scaled as a model's processor does."""
    from PIL import Image

    from training.features.pictures import Unreadable, find_pictures, read_ahead

    def scaled(image: Image.Image) -> tuple[int, int]:
        return image.convert("RGB").resize((224, 224)).size

    names = find_pictures(path)
    found = read_ahead(path, names, scaled, ahead=2)
    told = {name: one.reason if isinstance(one, Unreadable) else "" for name, one in zip(names, found, strict=True)}
    return json.dumps(told)


def listed_pictures(path: Path) -> str:
    """The same for the ids in the file `ids.txt` beside the folder."""
    from training.data.captions import read_ids
    from training.features.pictures import Unreadable, read_ahead

    names = read_ids(path.with_name("ids.txt"))
    found = read_ahead(path, names, lambda image: image.size, ahead=2)
    told = {name: one.reason if isinstance(one, Unreadable) else "" for name, one in zip(names, found, strict=True)}
    return json.dumps(told)


def records(path: Path) -> str:
    """`mcse index`: what is read, and how many are rejected for which reasons."""
    from service.importing.files import opened
    from service.importing.records import Rejection

    read, reasons = 0, []
    with opened(str(path)) as items:
        for item in items:
            read += 1
            if isinstance(item, Rejection):
                reasons.append(item.reason)
    return json.dumps({"read": read, "rejected": len(reasons), "reasons": sorted(set(reasons))[:10]})


def data_dir(path: Path) -> str:
    """A data directory from elsewhere: opened, read, searched, written to."""
    import numpy as np

    from service.search.points import Point, Search

    told = []
    with closing(_collections(path)) as collections:
        for info in collections.list():
            found = collections.get(info.name)
            read = len(found.scroll(limit=10_000).points)
            hits = found.search(Search(queries=np.ones((1, WIDTH), np.float32), limit=10))[0]
            found.upsert([Point("new", np.ones(WIDTH, np.float32), "new", {"new": True})])
            told.append((info.name, read, len(hits), found.count(), found.snapshots()))
    return json.dumps(told, default=str)


def snapshot(path: Path) -> str:
    """A snapshot from elsewhere, restored into an empty data directory beside it, and searched."""
    import numpy as np

    from service.search.points import Search

    with closing(_collections(path.with_name("data"))) as collections:
        made = collections.restore("made", path)
        hits = made.search(Search(queries=np.ones((1, WIDTH), np.float32), limit=10))[0]
        return f"{made.count()} points, {len(hits)} hits"


def _collections(path: Path) -> "Collections":
    from service.search.embedded.collections import Collections

    return Collections.open(path, fingerprint=FINGERPRINT, dimensions={SPACE: WIDTH}, max_points=10_000, tended=False)
