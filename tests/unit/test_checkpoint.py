"""Checkpoints whose metadata or weights are damaged: one sentence, and nothing is scored."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from segbench.errors import SegbenchError
from segbench.inference.checkpoint import load_checkpoint, save_checkpoint
from segbench.inference.evaluate import network_logits
from segbench.inference.networks import fcn8s_on
from segbench.inference.weights import build_model
from segbench.plugins import Registry
from segbench.types import InputConvention, Setup
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.tiny import TinyEncoder, fcn8s_over, tiny_backbone, tiny_dataset

REGISTRY = Registry.of([tiny_backbone()], [tiny_dataset()], segbench_runtimes())
CONFIG = {"backbone": "tiny", "dataset": "tiny", "height": 32, "width": 64, "seed": 0}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "best.safetensors"
    save_checkpoint(path, fcn8s_over(TinyEncoder(), 11), CONFIG)
    return path


def changed(whole: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    from safetensors import safe_open

    with safe_open(whole, "pt") as file:
        config = json.loads(file.metadata()["segbench"])
    change(config)
    path = whole.with_name("changed.safetensors")
    save_file(load_file(whole), path, {"segbench": json.dumps(config)})
    return path


def test_a_whole_one_is_loaded(whole: Path) -> None:
    loaded = load_checkpoint(whole, REGISTRY)
    assert (loaded.config["height"], loaded.model.classes) == (32, 11)
    assert loaded.model.convention == InputConvention()


ODD = [-1, 0, "x", 10**30, True, 1.5, None, [], {}, {"a": 1}, 2**31, "\x1b[2J", 1e308, "../../x"]
FIELDS = ["height", "width", "classes", "backbone", "dataset", "decoder", "convention"]


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize("field", FIELDS)
def test_odd_metadata_is_one_sentence(field: str, value: Any, whole: Path) -> None:
    path = changed(whole, lambda config: config.update({field: value}))
    with pytest.raises(SegbenchError) as caught:
        REGISTRY.dataset(load_checkpoint(path, REGISTRY).config["dataset"])
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("value", [*ODD, [1, 2], [1, 2, "x"], [1, 2, True], [1, 2, float("inf")]])
@pytest.mark.parametrize("name", ["mean", "std", "padding"])
def test_an_odd_convention_is_one_sentence(name: str, value: Any, whole: Path) -> None:
    path = changed(whole, lambda config: config["convention"].update({name: value}))
    with pytest.raises(SegbenchError, match="no segbench configuration"):
        load_checkpoint(path, REGISTRY)
    with pytest.raises(SegbenchError, match="metadata"):
        build_model(fcn8s_on(tiny_backbone()), 11, str(path))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0), byte=st.integers(0, 255))
def test_a_changed_byte_is_never_a_traceback(place: int, byte: int, whole: Path) -> None:
    data = bytearray(whole.read_bytes())
    data[place % min(len(data), 2500)] = byte  # the header and its metadata
    path = whole.with_name("mutated.safetensors")
    path.write_bytes(data)
    with suppress(SegbenchError):
        load_checkpoint(path, REGISTRY)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_not_loaded(number: float, whole: Path) -> None:
    state = load_file(whole)
    state["score8.weight"][0, 0] = number
    path = whole.with_name("odd.safetensors")
    config = changed(whole, lambda config: None)
    from safetensors import safe_open

    with safe_open(config, "pt") as file:
        save_file(state, path, file.metadata())
    with pytest.raises(SegbenchError, match=r"odd\.safetensors.*not finite: 'score8.weight'"):
        load_checkpoint(path, REGISTRY)


def test_logits_that_are_not_finite_are_not_scored(whole: Path) -> None:
    model = load_checkpoint(whole, REGISTRY).model
    with torch.no_grad():
        model.net.encoder.to8[0].weight.fill_(1e38)
        model.net.score8.weight.fill_(1e38)
    session = REGISTRY.runtime("eager").open(model, Setup((32, 64), device="cpu"))
    with pytest.raises(SegbenchError, match="logits are not finite"):
        network_logits(session, np.full((32, 64, 3), 200, np.uint8), (32, 64))
