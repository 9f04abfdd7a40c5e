import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mteb.models import EncoderProtocol

from models import load
from training.evaluation.evaluator import Evaluator
from training.evaluation.mteb import MtebModel

DOCS = Path(__file__).parents[3] / "docs" / "evaluation.md"


def test_the_example_of_the_docs_runs_a_task_and_agrees_with_our_own_score(tiny_bundle: Path, world: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
    for written, here in (("models/checkpoints/mcse-minilm-l6", tiny_bundle), ("../shared/data", world)):
        assert written in code
        code = code.replace(written, str(here))
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": str(DOCS.parents[1]),
    }
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=world)
    assert done.returncode == 0, done.stderr
    checkpoint = load(tiny_bundle)
    ours = Evaluator(checkpoint.model, checkpoint.tokenizer, world).sts("STSB")
    assert abs(ours) > 1
    assert float(done.stdout.split()[-1]) * 100 == pytest.approx(ours, abs=0.01)


def test_a_checkpoint_is_an_encoder_of_mteb_known_by_its_weights(tiny_bundle: Path) -> None:
    checkpoint = load(tiny_bundle)
    model = MtebModel(checkpoint)
    as_mteb_sees_it: object = model
    assert isinstance(as_mteb_sees_it, EncoderProtocol)
    assert model.mteb_model_meta.name == "mcse/tiny"
    assert model.mteb_model_meta.revision == checkpoint.fingerprint
    assert (model.mteb_model_meta.embed_dim, model.mteb_model_meta.max_tokens) == (32, 20)


def test_vectors_keep_the_order_of_the_texts_and_a_text_without_content_gets_zeros(tiny_bundle: Path) -> None:
    checkpoint = load(tiny_bundle)
    model = MtebModel(checkpoint)
    vectors = model.encode([{"text": ["a dog runs in the snow", ""]}, {"text": ["a cat"]}])
    assert vectors.shape == (3, 32)
    assert not vectors[1].any()
    alone = model.encode([{"text": ["a cat"]}])
    assert vectors[2] == pytest.approx(alone[0], abs=1e-6)
    assert model.encode([{"text": [""]}]).tolist() == np.zeros((1, 32)).tolist()


def test_similarity_is_the_cosine(tiny_bundle: Path) -> None:
    model = MtebModel(load(tiny_bundle))
    first, second = np.array([[3, 4], [1, 0]], dtype=np.float32), np.array([[0, 2], [5, 0]], dtype=np.float32)
    assert model.similarity(first, second) == pytest.approx(np.array([[0.8, 0.6], [0.0, 1.0]]))
    assert model.similarity_pairwise(first, second) == pytest.approx([0.8, 1.0])
