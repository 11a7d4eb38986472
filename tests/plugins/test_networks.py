"""The built-in networks keep the contract; broken ones are told what is wrong."""

from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from segbench.inference.networks import fcn8s_on
from segbench.testing import check_network
from segbench.types import Network
from segbench_plugins.networks.plugin import segbench_networks
from tests.tiny import tiny_backbone

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
        ({"name": "A network"}, "a name has"),
        ({"output_stride": 4}, r"the logits are \(2, 3, 16, 24\), not \(2, 3, 32, 48\)"),
        ({"build": lambda classes, convention: coarse(classes + 1, convention)}, "the logits are"),
        ({"score_layers": ("classifier.",)}, "no weight starts with 'classifier.'"),
        ({"adapt": lambda state, classes: {}}, "adapt loses"),
    ],
)
def test_a_broken_network_is_told_what_is_wrong(change: dict[str, Any], problem: str) -> None:
    network = Network(name="c", summary="One", build=coarse, stride=16, output_stride=8)
    with pytest.raises(AssertionError, match=problem):
        check_network(replace(network, **change))
