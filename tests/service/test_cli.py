import json
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service import __version__
from service.cli import app
from service.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_of_serve_lists_every_setting_with_its_default() -> None:
    shown = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}).output
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in shown
        assert str(field.default)[:20] in shown


def test_help_does_not_import_the_heavy_libraries() -> None:
    code = "import sys, service.cli; print(sorted({'torch', 'transformers', 'faiss', 'fastapi'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def assert_one_sentence(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, done.stderr
    assert all(part in lines[0] for part in parts), lines[0]
    assert "Traceback" not in done.stderr


def test_a_bad_setting_is_one_sentence() -> None:
    assert_one_sentence(run(MCSE_PORTT="1"), "MCSE_PORTT", "MCSE_PORT")
    assert_one_sentence(run("serve", MCSE_MAX_ITEMS="none"), "MCSE_MAX_ITEMS")


def test_a_missing_model_is_one_sentence(tmp_path: Path) -> None:
    assert_one_sentence(run("--port", "0", "--model", str(tmp_path / "nothing")), "nothing")


def test_a_taken_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert_one_sentence(run("--port", str(taken.getsockname()[1])), "Cannot listen")


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_healthcheck_exits_as_readiness_says(status: int, code: int) -> None:
    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(json.dumps({}).encode())

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.handle_request).start()
        done = CliRunner().invoke(app, ["healthcheck"], env={"MCSE_PORT": str(server.server_port)})
    assert done.exit_code == code


def test_healthcheck_of_nobody_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert CliRunner().invoke(app, ["healthcheck"], env={"MCSE_PORT": str(port)}).exit_code == 1


def test_version_is_the_project_version() -> None:
    import tomllib

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
