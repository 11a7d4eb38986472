"""The built-in networks keep the contract; broken ones are told what is wrong."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from segbench.errors import SegbenchError
from segbench.inference.networks import fcn8s_on
from segbench.jobs.plan import choose_recipe
from segbench.networks.model import SegmentationModel
from segbench.testing import check_network
from segbench.types import Network
from segbench_plugins.networks.plugin import segbench_networks
from tests.tiny import TinyEncoder, tiny_backbone, tiny_dataset

NETWORKS = {network.name: network for network in segbench_networks()}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_built_in_network_keeps_the_contract(name: str) -> None:
    check_network(NETWORKS[name])


def test_fcn8s_is_a_network_too() -> None:
    check_network(fcn8s_on(tiny_backbone()))


def coarse(classes: int, convention: Any) -> nn.Module:
    return nn.Conv2d(3, classes, 8, stride=8)


def test_logits_at_a_coarser_stride_are_resized() -> None:
    check_network(Network(name="c", summary="One", build=coarse, stride=16, output_stride=8))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "A network"}, "a name may have"),
        ({"output_stride": 4}, r"the logits are \(2, 3, 16, 24\), not \(2, 3, 32, 48\)"),
        ({"build": lambda classes, convention: coarse(classes + 1, convention)}, "the logits are"),
        ({"modern": {"learning_rate": 1e-3}}, "modern changes learning_rate"),
        ({"score_layers": ("classifier.",)}, "no weight starts with 'classifier.'"),
        ({"adapt": lambda state, classes: {}}, "adapt loses"),
    ],
)
def test_a_broken_network_is_told_what_is_wrong(change: dict[str, Any], problem: str) -> None:
    network = Network(name="c", summary="One", build=coarse, stride=16, output_stride=8)
    with pytest.raises(AssertionError, match=problem):
        check_network(replace(network, **change))


@pytest.mark.parametrize(("name", "weight_decay"), [("enet", 2e-4), ("erfnet", 1e-4)])
def test_networks_without_imagenet_weights_train_as_published(
    name: str, weight_decay: float
) -> None:
    dataset = tiny_dataset()
    recipe = choose_recipe(NETWORKS[name], dataset, "modern", {"epochs": 2})
    assert (recipe.optimizer, recipe.lr, recipe.weight_decay) == ("adam", 5e-4, weight_decay)
    assert (recipe.schedule, recipe.class_weights, recipe.epochs) == ("poly", True, 2)
    assert (recipe.size, recipe.augmentation) == (
        dataset.recipes["modern"].size,
        dataset.recipes["modern"].augmentation,
    )
    assert choose_recipe(NETWORKS[name], dataset, "original", {}) == dataset.recipes["original"]
    with pytest.raises(SegbenchError, match="leave out --encoder-lr-scale"):
        choose_recipe(NETWORKS[name], dataset, "modern", {"encoder_lr_scale": 0.2})


def test_a_recipes_crop_is_for_its_size() -> None:
    dataset, network = tiny_dataset(), fcn8s_on(tiny_backbone())
    modern = replace(dataset.recipes["modern"], size=(64, 128), crop=(32, 64))
    dataset = replace(dataset, recipes={"modern": modern})
    for changes, crop in (
        ({}, (32, 64)),
        ({"size": (16, 32)}, None),
        ({"size": (96, 128), "crop": (64, 64)}, (64, 64)),
    ):
        assert choose_recipe(network, dataset, "modern", changes).crop == crop


def test_features_of_other_strides_are_refused_before_training() -> None:
    class HalfTheStride(TinyEncoder):
        def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
            return super().forward(torch.nn.functional.interpolate(images, scale_factor=2.0))

    backbone = replace(tiny_backbone(), build=lambda convention: HalfTheStride())
    model = SegmentationModel(fcn8s_on(backbone), 3)
    with pytest.raises(SegbenchError, match="features have the strides"):
        model.check_output((64, 96))
    SegmentationModel(fcn8s_on(tiny_backbone()), 3).check_output((64, 96))
