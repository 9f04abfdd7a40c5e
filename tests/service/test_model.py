from pathlib import Path

import pytest

from service.errors import ModelError
from service.model import open_model
from service.settings import Settings


def test_a_missing_checkpoint_is_one_sentence_with_its_path(tmp_path: Path) -> None:
    missing = tmp_path / "nothing-here"
    with pytest.raises(ModelError, match="nothing-here") as error:
        open_model(Settings(model=str(missing), threads=1))
    assert "\n" not in str(error.value)
