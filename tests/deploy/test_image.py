"""The image and its compose file: what can be read from them everywhere, and what only a running engine can prove.

The second half builds and runs the image. It needs a docker engine, minutes and gigabytes, so it is asked for with
TEST_DOCKER=1; TEST_DOCKER_BUILD holds further options of `docker build`, such as `--network host`.
"""

import fnmatch
import inspect
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]
from fastapi.routing import APIRoute

from models.shipped import SHIPPED
from service.__main__ import COMMANDS
from service.api.operations import router as operations
from service.settings import PREFIX, Settings
from tests.deploy.content import complaints

ROOT = Path(__file__).resolve().parents[2]
NOBODY = "10001:10001"
HEALTHY_WITHIN_S = 60.0
STOPS_WITHIN_S = 10.0
PROJECT = "mcse-image-test"

Instruction = tuple[str, str]


# ---- the Dockerfile ----


def instructions(dockerfile: str) -> list[Instruction]:
    """Every instruction with its arguments on one line."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    logical = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in logical if line)]


def stages(dockerfile: str) -> list[list[Instruction]]:
    """The instructions of each stage, which begins with FROM."""
    found: list[list[Instruction]] = []
    for instruction in instructions(dockerfile):
        if instruction[0] == "FROM":
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def image(dockerfile: str) -> dict[str, str]:
    """The last value of each instruction of the final stage."""
    return dict(stages(dockerfile)[-1])


def copied(dockerfile: str) -> set[str]:
    """What is copied from the repository, in any stage."""
    sources: set[str] = set()
    for word, arguments in instructions(dockerfile):
        if word in {"COPY", "ADD"} and "--from=" not in arguments:
            sources.update(arguments.split()[:-1])
    return sources


def baked_environment(image: dict[str, str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(image["ENV"]))


def test_both_stages_stand_on_one_base_that_can_be_pinned(dockerfile: str) -> None:
    bases = [arguments.split()[0] for word, arguments in instructions(dockerfile) if word == "FROM"]
    assert bases == ["${BASE}", "${BASE}"]
    assert ("ARG", "BASE=python:3.11-slim-bookworm") in instructions(dockerfile)


def test_only_what_serving_needs_is_copied(dockerfile: str) -> None:
    locks = {"requirements.lock", "requirements-torch.txt", "requirements-kernels.lock"}
    assert copied(dockerfile) == {"LICENSE", *locks, "models", "service"}
    assert all((ROOT / name).exists() for name in copied(dockerfile))


def test_locked_packages_are_installed_by_hash_and_as_wheels(dockerfile: str) -> None:
    installs = [
        arguments for word, arguments in instructions(dockerfile) if word == "RUN" and "pip install" in arguments
    ]
    locked, torch, compiler = installs
    for install in (locked, compiler):
        assert {"--no-deps", "--require-hashes", "--only-binary"} <= set(install.split())
    assert "-r requirements.lock" in locked
    assert "-r requirements-kernels.lock" in compiler
    assert "-r requirements-torch.txt" in torch
    assert all("--only-binary :all:" in install for install in installs)


@pytest.mark.parametrize("name", ["Dockerfile", "docker-compose.yml", ".dockerignore"])
def test_no_package_index_is_written_down(name: str) -> None:
    addresses = re.findall(r"\w+://[^\s/]+", (ROOT / name).read_text(encoding="utf-8"))
    assert all(address.startswith("http://127.0.0.1") for address in addresses)


def test_no_package_of_training_or_development_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    serving = {package_name(requirement) for requirement in project["dependencies"]}
    extras = {package_name(each) for extra in project["optional-dependencies"].values() for each in extra}
    # By torch; by transformers; the extra that is locked too, and by it.
    needed_by_others = {"setuptools", "huggingface-hub", "qdrant-client", "httpx"}
    locked = {
        package_name(line)
        for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    assert serving - {"torch"} <= locked
    assert not locked & (extras - serving - needed_by_others)


def package_name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return found.group().lower()


def test_the_image_does_not_run_as_root(image: dict[str, str]) -> None:
    assert image["USER"] == NOBODY


@pytest.mark.parametrize("word", ["ENTRYPOINT", "HEALTHCHECK"])
def test_commands_are_in_exec_form_so_that_signals_arrive(image: dict[str, str], word: str) -> None:
    command = json.loads(image[word][image[word].index("[") :])
    assert command[:3] == ["python", "-m", "service"]
    assert set(command[3:]) <= COMMANDS


def test_the_health_check_outlasts_its_own_timeout(image: dict[str, str]) -> None:
    from service.cli import HEALTHCHECK_TIMEOUT_S

    found = re.search(r"--timeout=(\d+)s", image["HEALTHCHECK"])
    assert found is not None
    assert float(found.group(1)) > HEALTHCHECK_TIMEOUT_S


def test_the_image_stops_on_sigterm_and_keeps_its_data_in_a_volume(image: dict[str, str]) -> None:
    assert image["STOPSIGNAL"] == "SIGTERM"
    assert image["VOLUME"] == baked_environment(image)["MCSE_DATA_DIR"] == "/data"
    assert image["EXPOSE"] == baked_environment(image)["MCSE_PORT"]


def test_nothing_is_downloaded_or_written_beside_the_data_by_default(image: dict[str, str]) -> None:
    environment = baked_environment(image)
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["HF_HOME"].startswith(image["VOLUME"] + "/")
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"


def test_threads_are_not_bounded_for_every_machine_alike(image: dict[str, str]) -> None:
    """OMP_NUM_THREADS=1 in the image halved the throughput of an encoder with two threads."""
    assert "OMP_NUM_THREADS" not in baked_environment(image)


def test_the_label_tells_the_version_of_the_project(image: dict[str, str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    labels = dict(pair.split("=", 1) for pair in shlex.split(image["LABEL"]))
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.description"] == project["description"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]


def test_the_health_check_and_the_server_need_no_other_room(tmp_path: Path) -> None:
    for room in ("models", "service"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("checkpoints", "__pycache__"))
    environment = {"PATH": os.environ["PATH"], "MCSE_PORT": str(free_port())}

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert python("-c", "import service.server").stderr == ""
    health = python("-m", "service", "healthcheck")
    assert (health.returncode, health.stderr.split(" on ")[0]) == (1, "Nothing answers")


# ---- what goes to the builder ----


def ignored(path: str, patterns: list[str]) -> bool:
    """Docker's rule: the last pattern that matches the path or a folder above it decides."""
    parents = ["/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 2)]
    verdict = False
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        shapes = [bare, bare.removeprefix("**/")]  # ** is also no folder at all
        if any(matches(parent, shape) for parent in parents for shape in shapes):
            verdict = not pattern.startswith("!")
    return verdict


def matches(path: str, pattern: str) -> bool:
    """`*` ends at a slash, `**` does not."""
    if "**" in pattern:
        return fnmatch.fnmatchcase(path, pattern.replace("**", "*"))
    return path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)


@pytest.fixture(scope="module")
def patterns() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize(
    "path",
    [
        "data/store.sqlite3",
        "runs/a/state.pt",
        ".git/config",
        ".venv/bin/python",
        ".env",
        "training/train.py",
        "tests/conftest.py",
        "shared/data/captions.txt",
        "requirements-dev.lock",
        "models/checkpoints/another/model.safetensors",
        "models/.cache/weights",
        "models/runtime/native/built/int8-0123456789abcdef.so",
        "service/__pycache__/app.cpython-311.pyc",
        "service/search/__pycache__/store.cpython-311.pyc",
    ],
)
def test_what_the_image_does_not_need_stays_out(path: str, patterns: list[str]) -> None:
    assert ignored(path, patterns)


@pytest.mark.parametrize(
    "path",
    [
        "LICENSE",
        "requirements.lock",
        "requirements-torch.txt",
        "requirements-kernels.lock",
        "models/runtime/native/kernel/kernel.cpp",
        "service/search/store.py",
        "models/bundle.py",
        f"{SHIPPED.relative_to(ROOT).as_posix()}/model.safetensors",
        f"{SHIPPED.relative_to(ROOT).as_posix()}/1_Pooling/config.json",
    ],
)
def test_what_the_image_is_made_of_goes_in(path: str, patterns: list[str]) -> None:
    assert not ignored(path, patterns)


# ---- the compose file ----


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return parsed


@pytest.fixture(scope="module")
def container(compose: dict[str, Any]) -> dict[str, Any]:
    assert list(compose["services"]) == ["mcse"]
    service: dict[str, Any] = compose["services"]["mcse"]
    return service


def default(value: Any) -> str:
    """What a `${NAME:-default}` stands for where nothing is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("read_only", True),
        ("cap_drop", ["ALL"]),
        ("security_opt", ["no-new-privileges:true"]),
        ("pids_limit", 256),
        ("ulimits", {"nofile": 4096, "core": 0}),
        ("restart", "unless-stopped"),
        ("init", True),
        ("tmpfs", ["/tmp:size=64m,noexec,nosuid,nodev"]),  # noqa: S108
    ],
)
def test_the_container_is_a_small_target(container: dict[str, Any], key: str, expected: object) -> None:
    assert container[key] == expected


def test_nothing_widens_what_the_container_may_do(container: dict[str, Any]) -> None:
    widening = {"privileged", "cap_add", "user", "network_mode", "pid", "ipc", "devices", "entrypoint"}
    assert not widening & container.keys()


def test_the_container_has_a_limit_of_memory_and_of_cores(container: dict[str, Any]) -> None:
    assert re.fullmatch(r"\d+g", default(container["mem_limit"]))
    assert float(default(container["cpus"])) >= 1


def test_the_port_is_open_to_this_machine_alone(container: dict[str, Any], image: dict[str, str]) -> None:
    (port,) = container["ports"]
    assert default(port) == f"127.0.0.1:8080:{image['EXPOSE']}"


def test_a_stop_waits_for_the_drain(container: dict[str, Any]) -> None:
    assert int(container["stop_grace_period"].removesuffix("s")) > Settings.model_fields["drain_s"].default


def test_logs_are_rotated(container: dict[str, Any]) -> None:
    assert {"max-size", "max-file"} <= container["logging"]["options"].keys()


def test_data_is_in_a_named_volume(compose: dict[str, Any], container: dict[str, Any], image: dict[str, str]) -> None:
    (mount,) = container["volumes"]
    name, target = mount.split(":")
    assert name in compose["volumes"]
    assert target == image["VOLUME"]


def test_the_compose_file_has_no_version_which_both_composes_accept(compose: dict[str, Any]) -> None:
    assert "version" not in compose


def test_every_setting_is_fixed_by_the_image_or_passed_on(container: dict[str, Any], image: dict[str, str]) -> None:
    fixed = {name for name in baked_environment(image) if name.startswith(PREFIX)}
    passed = {name for name in container["environment"] if name.startswith(PREFIX)}
    settings = {PREFIX + name.upper() for name in Settings.model_fields}
    assert fixed == {"MCSE_HOST", "MCSE_PORT", "MCSE_DATA_DIR"}
    assert passed == settings - fixed, "list every setting under `environment` in docker-compose.yml"


def test_no_variable_of_the_image_is_passed_on_without_a_value(
    container: dict[str, Any], image: dict[str, str]
) -> None:
    """docker-compose 1.29 takes a name without a value, and not set outside, out of the image's environment."""
    assert not set(container["environment"]) & baked_environment(image).keys()


# ---- the deployment guide ----


def test_the_probes_of_the_guide_are_routes() -> None:
    guide = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    (pod,) = [
        parsed["spec"]["template"]["spec"]
        for parsed in map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL))
        if "spec" in parsed
    ]
    (container,) = pod["containers"]
    probes = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert probes == {"startup": "/startedz", "readiness": "/readyz", "liveness": "/livez"}
    assert set(probes.values()) <= {route.path for route in operations.routes if isinstance(route, APIRoute)}
    assert pod["securityContext"]["runAsUser"] == int(NOBODY.split(":")[0])
    assert pod["terminationGracePeriodSeconds"] > Settings.model_fields["drain_s"].default


def test_the_guide_explains_every_variable_of_the_compose_file() -> None:
    guide = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    assert named == set(re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE))


# ---- the real image ----


def why_no_engine() -> str | None:
    if os.environ.get("TEST_DOCKER") != "1":
        return "set TEST_DOCKER=1 to build and run the image"
    if shutil.which("docker") is None or compose_command() is None:
        return "docker and compose are not installed"
    answer = subprocess.run(["docker", "info"], capture_output=True, check=False)
    return "no docker engine answers" if answer.returncode else None


def compose_command() -> list[str] | None:
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if plugin.returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(*command: str, **variables: str) -> str:
    """The output of a command; fails the test with its error."""
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True)
class Deployment:
    """What `docker compose up` made."""

    compose: Callable[..., str]
    url: str

    @property
    def container(self) -> str:
        return self.compose("ps", "-q", "mcse")

    def inspect(self, template: str) -> str:
        return run("docker", "inspect", "-f", template, self.container)

    def inside(self, code: str) -> str:
        """Run Python in the container."""
        return run("docker", "exec", self.container, "python", "-c", code)

    def up(self) -> float:
        """Start, and return the seconds until it was healthy."""
        started = time.monotonic()
        self.compose("up", "-d")
        while self.inspect("{{.State.Health.Status}}") != "healthy":
            waited = time.monotonic() - started
            assert waited < HEALTHY_WITHIN_S, self.compose("logs", "--no-color")
            time.sleep(0.2)
        return time.monotonic() - started

    def post(self, path: str, body: object) -> Any:
        response = httpx.post(self.url + path, json=body, timeout=30)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    command, port = compose_command(), free_port()
    assert command is not None
    variables = {"IMAGE": PROJECT, "PUBLISH": f"127.0.0.1:{port}"}
    options = shlex.split(os.environ.get("TEST_DOCKER_BUILD", ""))
    index = os.environ.get("TORCH_INDEX", "")
    run("docker", "build", *options, "--build-arg", f"TORCH_INDEX={index}", "-t", PROJECT, ".")

    def composed(*arguments: str) -> str:
        return run(*command, "-p", PROJECT, *arguments, **variables)

    try:
        deployed = Deployment(composed, f"http://127.0.0.1:{port}")
        deployed.up()
        yield deployed
    finally:
        composed("down", "--volumes")
        run("docker", "rmi", PROJECT)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(bool(why_no_engine()), reason=str(why_no_engine()))
class TestRealImage:
    """In order, on one deployment; the last ones stop and start it."""

    def test_it_embeds_and_compares(self, deployment: Deployment) -> None:
        (vector,) = deployment.post("/embed", {"inputs": ["a dog plays in the snow"]})
        assert len(vector) == httpx.get(deployment.url + "/info").json()["model"]["dimensions"]["sentence"]
        sentences = ["a dog in the snow", "the bank raised rates"]
        near, far = deployment.post(
            "/similarity", {"inputs": {"source_sentence": "a puppy in winter", "sentences": sentences}}
        )
        assert near > far

    def test_it_runs_as_nobody_without_capabilities(self, deployment: Deployment) -> None:
        status = deployment.inside("print(open('/proc/1/status').read())")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["Uid"].split() == ["10001"] * 4
        assert fields["Gid"].split() == ["10001"] * 4
        assert {int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        assert fields["NoNewPrivs"] == "1"

    @pytest.mark.parametrize("folder", ["/", "/app", "/app/models", "/opt/venv", "/etc"])
    def test_it_cannot_write(self, deployment: Deployment, folder: str) -> None:
        code = f"import os, tempfile\ntry: tempfile.TemporaryFile(dir={folder!r})\nexcept OSError: print('refused')"
        assert deployment.inside(code) == "refused"

    def test_it_holds_nothing_of_training(self, deployment: Deployment) -> None:
        names = ["training", "scipy", "sentence_transformers", "pytest", "pip"]
        code = f"import importlib.util as u; print([n for n in {names} if u.find_spec(n)])"
        assert deployment.inside(code) == "[]"

    def test_its_files_are_those_that_serving_needs(self, deployment: Deployment) -> None:
        with subprocess.Popen(["docker", "export", deployment.container], stdout=subprocess.PIPE) as exported:
            assert exported.stdout is not None
            assert [*complaints(exported.stdout)] == []

    def test_its_own_health_check_and_offline_mode_are_on(self, deployment: Deployment) -> None:
        run("docker", "exec", deployment.container, "python", "-m", "service", "healthcheck")
        assert deployment.inside("import os; print(os.environ['HF_HUB_OFFLINE'])") == "1"

    def test_a_fork_bomb_hits_its_limit_and_leaves_nothing_behind(self, deployment: Deployment) -> None:
        bomb = """
            import os, time
            for forks in range(1000):
                try: child = os.fork()
                except OSError: break
                if not child: time.sleep(2); os._exit(0)
            print(forks)
        """
        assert int(deployment.inside(inspect.cleandoc(bomb))) < 256
        time.sleep(3)
        assert httpx.get(deployment.url + "/readyz").status_code == 200
        processes = deployment.inside("import os; print(sum(name.isdigit() for name in os.listdir('/proc')))")
        assert int(processes) < 10

    def test_points_outlive_the_container(self, deployment: Deployment) -> None:
        deployment.post("/index", {"points": [{"id": "kept", "text": "a puppy in winter"}]})
        first = deployment.container
        deployment.compose("down")
        assert deployment.up() < HEALTHY_WITHIN_S
        assert deployment.container != first
        ((hit,),) = deployment.post("/search", {"query": "a dog in the snow", "limit": 1})["results"]
        assert hit["id"] == "kept"

    def test_it_stops_by_itself_and_in_time(self, deployment: Deployment) -> None:
        stopped = deployment.container
        started = time.monotonic()
        deployment.compose("stop")
        assert time.monotonic() - started < STOPS_WITHIN_S
        assert run("docker", "inspect", "-f", "{{.State.ExitCode}}", stopped) == "0"
