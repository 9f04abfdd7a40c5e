"""What every room's tests share: a tiny real BERT, made here, and the real data where it is."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from models.bundle import save_bundle
from models.config import EncoderConfig
from models.encoder import TextEncoder
from models.heads import GroundingProjection, ImageProjection, MLPHead
from models.mcse import MCSE

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"  # the models here are too small for two threads to help
torch.set_num_threads(1)

WIDTH, PROJECTION, IMAGE_WIDTH = 32, 8, 12
WORDS = """
    a the dog cat man woman child girl boy runs sits plays eats red blue green big small in on with of and is are two
    people ball grass beach snow street bike car water tree house shirt bank rate young little washing cleans her teddy
    stuffed animal bear kitchen sink central raised interest rates by half percent .
""".split()  # noqa: SIM905


def vocabulary() -> list[str]:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return [*special, *WORDS, *(x for x in letters if x not in WORDS), *(f"##{x}" for x in letters)]


def write_tokenizer(directory: Path) -> None:
    tokenizer = Tokenizer(WordPiece({token: i for i, token in enumerate(vocabulary())}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(directory)


def tiny_config() -> BertConfig:
    return BertConfig(
        vocab_size=len(vocabulary()),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: a core takes a file at a time, and the last one would keep the others waiting."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """What a test does to the log is undone; loggers that are bound already have the same lists of processors."""
    kept = structlog.get_config()
    yield
    structlog.configure(**kept)


@pytest.fixture(autouse=True, scope="session")
def token_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs keep their tokens where the tests end, not with the user's."""
    cache = tmp_path_factory.mktemp("cache")
    os.environ["MCSE_CACHE"] = str(cache)
    return cache


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain Hugging Face encoder: two layers, 32 wide, random weights."""
    directory = tmp_path_factory.mktemp("models") / "tiny-bert"
    torch.manual_seed(0)
    BertModel(tiny_config()).save_pretrained(directory)
    write_tokenizer(directory)
    return directory


def tiny_model() -> MCSE:
    torch.manual_seed(1)
    backbone = BertModel(tiny_config(), add_pooling_layer=False)
    return MCSE(
        TextEncoder(backbone, EncoderConfig(pooling="mean", max_tokens=20, dimension=WIDTH)),
        mlp=MLPHead(WIDTH),
        grounding=GroundingProjection(WIDTH, PROJECTION),
        image=ImageProjection(IMAGE_WIDTH, PROJECTION),
    ).eval()


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """A bundle with all three heads. Read it, never change it."""
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    save_bundle(target, tiny_model(), tokenizer_from=tiny_base, card={"base_model": "tiny"}, readme="# tiny\n")
    return target


@pytest.fixture(scope="session")
def data() -> Path:
    """The real evaluation data; the test is skipped where it is absent."""
    folder = Path(os.environ.get("MCSE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "sts").is_dir():
        pytest.skip(f"the evaluation data is not in {folder}; MCSE_DATA names another folder")
    return folder


@pytest.fixture
def rewrite_json() -> object:
    """Change some keys of a JSON file."""

    def rewrite(path: Path, **changes: object) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return rewrite
