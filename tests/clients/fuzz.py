"""Send the service what nobody would write: schemathesis over the description of its interface.

`python -m tests.clients.fuzz [options of `schemathesis run`]` starts a server of its own, and exits with 1 where it
answered with a 500, with what its description does not say, or not at all.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.clients.servers import SERVICE, started

HERE = Path(__file__).parent
CONFIG, HOOKS = HERE / "schemathesis.toml", HERE / "schemathesis_hooks.py"
OPTIONS = ("--max-examples=50", "--request-timeout=30", "--continue-on-failure")


def main(arguments: list[str]) -> int:
    """Schemathesis' exit status; `arguments` come after `OPTIONS` and replace them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with started(folder, *SERVICE, "--data-dir", str(folder / "data")) as url:
            schemathesis = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)]
            command = [*schemathesis, "run", f"{url}/openapi.json", *OPTIONS, *arguments]
            environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)}
            return subprocess.run(command, check=False, cwd=folder, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
