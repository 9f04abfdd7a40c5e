import subprocess
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)

from training.events import Events

ROOT = Path(__file__).parents[2]


def curves(path: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows, read by its own reader."""
    events = EventAccumulator(str(path))
    events.Reload()
    tags = events.Tags()["scalars"]
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags}


def test_tensorboard_reads_every_number_of_a_record_as_a_curve(tmp_path: Path) -> None:
    events = Events(tmp_path)
    events.log({"step": 1, "kind": "pair", "loss": 2.0, "grounding": 0.5, "learning_rate": 0.25, "seconds": 9.0})
    events.log({"step": 2, "kind": "text", "loss": 1.5, "learning_rate": 0.125, "seconds": 10.0})
    events.log({"step": 2, "dev": 75.5, "alignment": 0.25, "uniformity": -2.0})
    events.close()
    assert curves(tmp_path) == {
        "pair/loss": [(1, 2.0)],
        "pair/grounding": [(1, 0.5)],
        "pair/learning_rate": [(1, 0.25)],
        "text/loss": [(2, 1.5)],
        "text/learning_rate": [(2, 0.125)],
        "dev/dev": [(2, 75.5)],
        "dev/alignment": [(2, 0.25)],
        "dev/uniformity": [(2, -2.0)],
    }


def test_steps_that_are_taken_again_are_shown_once(tmp_path: Path) -> None:
    stopped = Events(tmp_path)
    for step in (1, 2, 3, 4):
        stopped.log({"step": step, "kind": "text", "loss": 1.0})
    stopped.close()
    resumed = Events(tmp_path, 2)
    for step in (3, 4, 5):
        resumed.log({"step": step, "kind": "text", "loss": 2.0})
    resumed.close()
    assert curves(tmp_path) == {"text/loss": [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 2.0)]}


def test_an_evaluation_is_on_disk_at_once(tmp_path: Path) -> None:
    events = Events(tmp_path)
    events.log({"step": 1, "kind": "text", "loss": 1.0})
    events.log({"step": 1, "dev": 75.5})
    assert set(curves(tmp_path)) == {"text/loss", "dev/dev"}
    events.close()


def test_without_a_directory_nothing_is_written_and_tensorboard_is_not_imported() -> None:
    code = (
        "import sys\nfrom training.events import Events\n"
        "events = Events(None)\nevents.log({'step': 1, 'kind': 'text', 'loss': 1.0})\nevents.close()\n"
        "sys.exit('tensorboard' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
