"""Settings and tokenizers that lie, explode or lead elsewhere: a named error, in little memory and time."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.manifest import write_manifest
from tests.faults.cage import Cage, Outcome, require_refused

MB = 1 << 20
CANARY = "canary-7f3a"
DEEP = "[" * 100_000
HUGE = 10**12
Evil = Callable[[Path], None]


@pytest.fixture
def encoder(tmp_path: Path, tiny_base: Path) -> Path:
    """A plain Hugging Face encoder."""
    shutil.copytree(tiny_base, tmp_path / "encoder")
    return tmp_path / "encoder"


@pytest.fixture
def bundle(tmp_path: Path, tiny_bundle: Path) -> Path:
    """A bundle of ours."""
    shutil.copytree(tiny_bundle, tmp_path / "bundle")
    return tmp_path / "bundle"


def settings(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}))


def require_refused_or_harmless(outcome: Outcome) -> None:
    """What a setting means is the model's own affair, as long as nothing falls."""
    assert outcome.fell == "", outcome.fell
    assert outcome.grown_mb <= 300, outcome
    assert len(outcome.told) < 1000


# ---- config.json ----

NUMBERS = [
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "type_vocab_size",
    "vocab_size",
]
WRONG: dict[str, Any] = {
    "0": 0,
    "-2": -2,
    "10^9": 10**9,
    "10^12": HUGE,
    "a fraction": 2.5,
    "a text": "32",
    "a list": [32],
    "null": None,
    "true": True,
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_of_a_config_that_cannot_be_is_refused(cage: Cage, encoder: Path, name: str) -> None:
    for value in WRONG.values():
        settings(encoder / "config.json", **{name: value})
        outcome = cage.call("checkpoint", encoder)
        require_refused_or_harmless(outcome)
        if value in (10**9, HUGE):
            require_refused(outcome)
        assert outcome.seconds < 10, value


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_cannot_be_is_refused_in_a_bundle_whose_digests_are_right(
    cage: Cage, bundle: Path, name: str
) -> None:
    for value in WRONG.values():
        settings(bundle / "config.json", **{name: value})
        write_manifest(bundle)
        outcome = cage.call("served", bundle)
        require_refused_or_harmless(outcome)
        if value in (10**9, HUGE):
            require_refused(outcome)


OTHERS: dict[str, dict[str, Any]] = {
    "an unknown family": {"model_type": "canary"},
    "a family that is a path": {"model_type": "../../etc/passwd"},
    "a family that is a number": {"model_type": 5},
    "architectures that are no list": {"architectures": {"a": 1}},
    "numbers of another kind": {"dtype": "os.system"},
    "attention from elsewhere": {"attn_implementation": "somebody/kernel", "_attn_implementation": "somebody/kernel"},
    "attention that is not installed": {"attn_implementation": "flash_attention_2"},
    "packed numbers": {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}},
    "packed numbers of no kind": {"quantization_config": {"quant_method": "canary"}},
    "packed numbers that are a text": {"quantization_config": "canary"},
    "an encoder and a decoder": {"is_encoder_decoder": True},
    "padding that is no token": {"pad_token_id": HUGE},
    "padding before the first token": {"pad_token_id": -5},
    "a norm that is none": {"layer_norm_eps": float("nan")},
    "an unknown activation": {"hidden_act": "eval"},
    "an activation that is a list": {"hidden_act": ["gelu"]},
    "labels without end": {"id2label": {str(number): "label" for number in range(200_000)}},
    "labels that are no object": {"id2label": 5},
    "code of its own": {"auto_map": {"AutoConfig": "somebody/repository--file.Class", "AutoModel": "file.Class"}},
    "another place": {"_name_or_path": "../../../etc", "base_model_name_or_path": "/etc"},
    "another form of weights": {"use_safetensors": False, "torchscript": True, "gguf_file": "/etc/passwd"},
}


@pytest.mark.parametrize("other", OTHERS)
def test_other_settings_that_cannot_be_do_no_harm(cage: Cage, encoder: Path, bundle: Path, other: str) -> None:
    settings(encoder / "config.json", **OTHERS[other])
    require_refused_or_harmless(cage.call("checkpoint", encoder))
    settings(bundle / "config.json", **OTHERS[other])
    write_manifest(bundle)
    require_refused_or_harmless(cage.call("served", bundle))


# ---- any file of settings ----

FILES = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
]
CONTENTS: dict[str, bytes] = {
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "deep lists": DEEP.encode(),
    "deep lists in a field": b'{"model_type": "bert", "a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "a number of 5000 digits": b'{"hidden_size": ' + b"9" * 5000 + b"}",
    "no UTF-8": b'{"model_type": "\xff\xfe"}',
    "a pickle": b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "cut off": b'{"model_type": "ber',
    "only spaces": b" " * MB,
}


def sparse(path: Path) -> None:
    """A file that says it is 4 GB."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(4 << 30)


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def link_to(target: str) -> Evil:
    def put(path: Path) -> None:
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return put


REPLACED: dict[str, Evil] = {
    "4 GB": sparse,
    "a pipe": pipe,
    "a folder": folder,
    "a link to itself": link_to("tokenizer_config.json"),
    "a link to a device": link_to("/dev/zero"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_settings_with_other_content_is_refused_or_does_no_harm(
    cage: Cage, bundle: Path, encoder: Path, name: str
) -> None:
    for what, content in CONTENTS.items():
        (encoder / name).write_bytes(content)
        outcome = cage.call("checkpoint", encoder)
        require_refused_or_harmless(outcome)
        if name in ("config.json", "tokenizer.json"):
            require_refused(outcome)
        (bundle / name).write_bytes(content)
        write_manifest(bundle)
        outcome = cage.call("served", bundle)
        require_refused_or_harmless(outcome)
        assert outcome.seconds < 10, what


@pytest.mark.parametrize("replaced", REPLACED)
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_what_is_no_file_of_settings_is_refused(cage: Cage, encoder: Path, name: str, replaced: str) -> None:
    REPLACED[replaced](encoder / name)
    outcome = cage.call("checkpoint", encoder, memory_mb=8192)  # addresses: a file of weights is mapped, not read
    require_refused(outcome)
    assert outcome.seconds < 10


@pytest.mark.parametrize("name", ["mcse.json", "manifest.json", "modules.json", "1_Pooling/config.json"])
def test_our_own_files_of_settings_with_other_content_are_refused(cage: Cage, bundle: Path, name: str) -> None:
    for door in ("served", "checkpoint"):
        for content in CONTENTS.values():
            (bundle / name).write_bytes(content)
            if name != "manifest.json":
                write_manifest(bundle)
            outcome = cage.call(door, bundle)
            require_refused_or_harmless(outcome)
            if name in ("mcse.json", "manifest.json"):
                require_refused(outcome)


@pytest.mark.parametrize("limit", [0, -5, 1, 2, HUGE, 2.5, "5", None, True], ids=repr)
def test_a_limit_of_tokens_that_leaves_nothing_of_a_text_is_refused(
    cage: Cage, bundle: Path, encoder: Path, limit: Any
) -> None:
    settings(bundle / "mcse.json", max_tokens=limit)
    write_manifest(bundle)
    outcome = cage.call("served", bundle)
    require_refused_or_harmless(outcome)
    if limit != HUGE:
        require_refused(outcome)
    (encoder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": limit}))
    require_refused_or_harmless(cage.call("served", encoder))


@pytest.mark.parametrize("digests", [5, [], {}, {"../../../etc/passwd": "0"}, {"config.json": ["a"]}], ids=repr)
def test_a_manifest_of_other_files_is_refused(cage: Cage, bundle: Path, digests: Any) -> None:
    settings(bundle / "manifest.json", sha256=digests)
    require_refused(cage.call("served", bundle))


# ---- where they lead ----


def test_the_content_of_a_file_elsewhere_is_never_told(cage: Cage, encoder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"root:{CANARY}:0:0\n" * 100)
    for name in (*FILES, "model.safetensors", "vocab.txt"):
        before = (encoder / name).read_bytes() if (encoder / name).exists() else None
        link_to(str(secret))(encoder / name)
        outcome = cage.call("checkpoint", encoder)
        require_refused_or_harmless(outcome)
        assert CANARY not in outcome.told
        (encoder / name).unlink()
        if before is not None:
            (encoder / name).write_bytes(before)
    assert secret.read_text() == f"root:{CANARY}:0:0\n" * 100


@pytest.mark.parametrize("place", ["../elsewhere", "/elsewhere", "1_Pooling/../../elsewhere", "a\0b", "a" * 5000])
def test_a_module_that_is_not_below_the_directory_is_refused(cage: Cage, bundle: Path, place: str) -> None:
    for ours in ("mcse.json", "manifest.json"):
        (bundle / ours).unlink()
    shutil.copytree(bundle / "1_Pooling", bundle.parent / "elsewhere")
    modules = json.loads((bundle / "modules.json").read_text())
    modules[1]["path"] = str(bundle.parent) + place if place.startswith("/") else place
    (bundle / "modules.json").write_text(json.dumps(modules))
    require_refused(cage.call("checkpoint", bundle))


# ---- tokenizer.json ----


def tokenizer(**changes: Any) -> Evil:
    return lambda directory: settings(directory / "tokenizer.json", **changes)


def vocabulary(ids: dict[str, int]) -> Evil:
    def change(directory: Path) -> None:
        path = directory / "tokenizer.json"
        model = json.loads(path.read_text())["model"]
        settings(path, model={**model, "vocab": {**model["vocab"], **ids}})

    return change


def framed_by(count: int, token: int = 2) -> Evil:
    """A text with so many special tokens before it."""
    special = {"[CLS]": {"id": "[CLS]", "ids": [token], "tokens": ["[CLS]"]}}
    template = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}] * count + [{"Sequence": {"id": "A", "type_id": 0}}]
    processor = {"type": "TemplateProcessing", "single": template, "pair": template, "special_tokens": special}
    return tokenizer(post_processor=processor)


def added(token: str, number: int) -> Evil:
    fields = {"id": number, "content": token, "single_word": False, "lstrip": False, "rstrip": False}
    return tokenizer(added_tokens=[{**fields, "normalized": False, "special": True}])


TOKENIZERS: dict[str, Evil] = {
    "a token of a number that no model has": vocabulary({"dog": 4_000_000_000}),
    "a token of a negative number": vocabulary({"dog": -1}),
    "a token of a number over 32 bits": vocabulary({"dog": 1 << 40}),
    "two tokens of one number": vocabulary({"dog": 7, "cat": 7}),
    "a thousand special tokens": framed_by(1000),
    "more special tokens than fit": framed_by(20),
    "a special token that no model has": framed_by(1, 4_000_000_000),
    "an added token that no model has": added("dog", 4_000_000_000),
    "an added token of 10 MB": added("x" * 10 * MB, 5),
    "an added token of nothing": added("", 5),
    "a model nobody knows": tokenizer(model={"type": "Pickle"}),
    "a model that is a path": tokenizer(model={"type": "WordPiece", "vocab": "/etc/passwd", "unk_token": "[UNK]"}),
    "no model": tokenizer(model=None),
    "a broken pattern": tokenizer(
        pre_tokenizer={"type": "Split", "pattern": {"Regex": "(("}, "behavior": "Removed", "invert": False}
    ),
    "a table of characters that is none": tokenizer(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
    "a table of characters that lies": tokenizer(
        normalizer={"type": "Precompiled", "precompiled_charsmap": "/////w" + "A" * 1000}
    ),
    "a replacement of everything by much": tokenizer(
        normalizer={"type": "Replace", "pattern": {"Regex": "."}, "content": "dog " * 1000}
    ),
    "padding without end": tokenizer(
        padding={
            "strategy": {"Fixed": 4_000_000_000},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        }
    ),
    "a cut at nothing": tokenizer(
        truncation={"direction": "Right", "max_length": 0, "strategy": "LongestFirst", "stride": 5}
    ),
}


@pytest.mark.parametrize("evil", TOKENIZERS)
def test_a_tokenizer_that_cannot_be_is_refused_or_does_no_harm(
    cage: Cage, encoder: Path, bundle: Path, evil: str
) -> None:
    addresses = 1 << 15  # MB: room that a library asks for and does not use; what it uses is looked at
    TOKENIZERS[evil](encoder)
    require_refused_or_harmless(cage.call("served", encoder, memory_mb=addresses))
    TOKENIZERS[evil](bundle)
    write_manifest(bundle)
    require_refused_or_harmless(cage.call("served", bundle, memory_mb=addresses))


@pytest.mark.parametrize(
    "changes",
    [
        {"tokenizer_class": "../../etc/passwd"},
        {"tokenizer_class": 5},
        {"auto_map": {"AutoTokenizer": ["file.Class", None]}},
        {"model_max_length": -5},
        {"model_max_length": 1},
        {"model_max_length": float("inf")},
        {"added_tokens_decoder": {"4000000000": {"content": "dog", "special": True}}},
        {"added_tokens_decoder": {"a": 5}},
        {"pad_token": {"__type": "AddedToken", "content": 5}},
        {"chat_template": "{{ ''.__class__.__mro__[1].__subclasses__() }}" + "{% for a in range(10**9) %}{% endfor %}"},
        {"tokenizer_file": "/etc/passwd", "vocab_file": "/etc/passwd"},
    ],
    ids=lambda changes: str(changes)[:50],
)
def test_settings_of_a_tokenizer_that_cannot_be_do_no_harm(cage: Cage, encoder: Path, changes: dict[str, Any]) -> None:
    settings(encoder / "tokenizer_config.json", **changes)
    require_refused_or_harmless(cage.call("served", encoder))
