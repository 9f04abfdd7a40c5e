from pathlib import Path

import pytest
import torch

from training.build import Trainee, build_trainee
from training.config import OptimizerConfig, parse_config
from training.optimizer import MovingAverage, build_optimizer


@pytest.fixture
def trainee(tiny_base: Path) -> Trainee:
    tables = {
        "model": {"base": str(tiny_base), "projection": 8},
        "data": {"text": "t", "captions": "c", "features": "f"},
    }
    return build_trainee(parse_config(tables, source="test"), image_width=12, device=torch.device("cpu"))


def rates(trainee: Trainee, config: OptimizerConfig) -> dict[str, tuple[float, float]]:
    """Peak rate and weight decay of each parameter by name."""
    optimizer, _ = build_optimizer(trainee.trained, config, 10)
    name_of = {id(parameter): name for name, parameter in trainee.trained.named_parameters()}
    return {
        name_of[id(parameter)]: (group["initial_lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


def test_every_parameter_is_in_one_group(trainee: Trainee) -> None:
    assert set(rates(trainee, OptimizerConfig())) == {name for name, _ in trainee.trained.named_parameters()}


def test_by_default_all_parts_have_one_rate_and_adams_epsilon_is_the_originals(trainee: Trainee) -> None:
    """Pitfall 12: eps 1e-6 of the original's class, not torch's 1e-8."""
    assert set(rates(trainee, OptimizerConfig()).values()) == {(3e-5, 0.0)}
    optimizer, _ = build_optimizer(trainee.trained, OptimizerConfig(), 10)
    assert {group["eps"] for group in optimizer.param_groups} == {1e-6}
    assert {group["betas"] for group in optimizer.param_groups} == {(0.9, 0.999)}


def test_layers_below_have_a_smaller_rate_and_heads_their_own(trainee: Trainee) -> None:
    found = rates(trainee, OptimizerConfig(learning_rate=1e-3, layer_decay=0.5, head_learning_rate=1e-2))
    for name, (rate, _) in found.items():
        if "backbone" not in name:
            assert rate == 1e-2
        elif "embeddings" in name:
            assert rate == pytest.approx(0.25e-3), name
        else:
            assert rate == pytest.approx(0.5e-3 if ".layer.0." in name else 1e-3), name


def test_norms_and_biases_have_no_weight_decay(trainee: Trainee) -> None:
    for name, (_, decay) in rates(trainee, OptimizerConfig(weight_decay=0.1)).items():
        assert decay == (0.0 if name.endswith("bias") or "LayerNorm" in name else 0.1), name


def test_the_encoder_warms_up_and_the_heads_do_not(trainee: Trainee) -> None:
    optimizer, _ = build_optimizer(trainee.trained, OptimizerConfig(warmup_steps=5), 10)
    backbone = {id(parameter) for parameter in trainee.model.encoder.parameters()}
    for group in optimizer.param_groups:
        assert (group["lr"] == 0.0) == (id(group["params"][0]) in backbone)


def test_the_moving_average_is_its_formula_and_gives_the_weights_back(trainee: Trainee) -> None:
    average = MovingAverage(trainee.trained, 0.75)
    weight = next(trainee.trained.parameters())
    before = weight.detach().clone()
    with torch.no_grad():
        weight.add_(4.0)
    average.update()
    with average.in_place():
        torch.testing.assert_close(weight.detach(), before + 1.0)
    torch.testing.assert_close(weight.detach(), before + 4.0)


def test_an_average_goes_on_from_saved_weights(trainee: Trainee) -> None:
    one = MovingAverage(trainee.trained, 0.9)
    with torch.no_grad():
        next(trainee.trained.parameters()).mul_(2.0)
    one.update()
    other = MovingAverage(trainee.trained, 0.9)
    other.restore(one.weights)
    for left, right in zip(one.weights, other.weights, strict=True):
        assert torch.equal(left, right)
