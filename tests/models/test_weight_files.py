from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.errors import CheckpointError
from models.weight_files import check_weights, has_weights, read_pickled, read_safetensors, read_state, tensors_of

TENSORS = {"a": torch.ones(2, 3), "b": torch.zeros(4, dtype=torch.float16)}


def assert_same(found: dict[str, torch.Tensor]) -> None:
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)


def test_both_kinds_of_files_are_read_and_safetensors_first(tmp_path: Path) -> None:
    assert not has_weights(tmp_path)
    with pytest.raises(CheckpointError, match=r"no model\.safetensors or pytorch_model\.bin"):
        read_state(tmp_path)
    torch.save(TENSORS, tmp_path / "pytorch_model.bin")
    assert has_weights(tmp_path)
    assert_same(read_state(tmp_path))
    save_file(TENSORS, tmp_path / "model.safetensors")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    assert_same(read_state(tmp_path))
    assert_same(read_safetensors(tmp_path / "model.safetensors"))


def test_a_file_of_the_time_before_archives_is_read(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    check_weights(tmp_path)
    assert_same(read_state(tmp_path))


def test_weights_that_share_their_numbers_are_read(tmp_path: Path) -> None:
    torch.save({"a": TENSORS["a"], "again": TENSORS["a"], "part": TENSORS["a"][:1]}, tmp_path / "pytorch_model.bin")
    assert read_state(tmp_path).keys() == {"a", "again", "part"}


@pytest.mark.parametrize(
    "tensor",
    [torch.ones(1).expand(5), torch.ones(2, device="meta"), 5, None],
    ids=["one number for five", "without numbers", "a number", "nothing"],
)
def test_a_tensor_without_all_its_numbers_is_refused(tmp_path: Path, tensor: object) -> None:
    with pytest.raises(CheckpointError, match="not every entry is a name and a tensor with its numbers"):
        tensors_of(tmp_path / "mcse.pt", {"a": tensor})


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.bin")
    with pytest.raises(CheckpointError, match="expected a dictionary of tensors, found list"):
        read_pickled(tmp_path / "list.bin")


def test_weights_in_parts_must_lie_beside_their_index(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "part-1.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "part-1.safetensors"}}')
    check_weights(tmp_path)
    for place in ('"../part-1.safetensors"', '"/part-1.safetensors"', "5", '""'):
        index.write_text(f'{{"weight_map": {{"a": {place}}}}}')
        with pytest.raises(CheckpointError):
            check_weights(tmp_path)
