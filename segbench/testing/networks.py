"""The contract of backbones and networks."""

import tempfile
from dataclasses import fields, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.testing import assert_close

from segbench.inference.networks import fcn8s_on
from segbench.networks.model import SegmentationModel
from segbench.plugins import Registry
from segbench.types import Backbone, Encoder, Network, Recipe, Setup

from .basic import ODD_SIZE, SIZES, check_name, seeded


def check_backbone(backbone: Backbone) -> None:
    """Check an encoder: strides, channels, gradients, state dict, both paddings."""
    check_name(backbone.name, backbone.summary)
    encoder = seeded(lambda: backbone.build(backbone.convention), seed=1).eval()
    for height, width in SIZES:
        _check_features(encoder, torch.randn(2, 3, height, width))
    images = torch.randn(2, 3, *SIZES[0])
    state = encoder.state_dict()
    for prefix in backbone.may_start_fresh:
        assert any(key.startswith(prefix) for key in state), f"no weight starts with {prefix!r}"
    if backbone.adapt is not None:
        assert backbone.adapt(state).keys() == state.keys(), "adapt loses the encoder's own keys"
    twin = seeded(lambda: backbone.build(backbone.convention), seed=2).eval()
    twin.load_state_dict(state)
    _check_twins(encoder, twin, images)
    _check_gradients(encoder, images)
    for padding in ("symmetric", "same"):
        convention = replace(backbone.convention, padding=padding)
        if convention != backbone.convention:
            _check_features(backbone.build(convention).eval(), images)
    model = SegmentationModel(fcn8s_on(backbone), 3).eval()
    logits = model(torch.rand(1, 3, *ODD_SIZE) * 255)
    assert logits.shape == (1, 3, *ODD_SIZE), f"FCN8s over it returns logits {tuple(logits.shape)}"


def check_network(network: Network) -> None:
    """Check a network: sizes, classes, gradients, state dict, ONNX export."""
    check_name(network.name, network.summary)
    classes, (stride, output_stride) = 3, (network.stride, network.output_stride)
    net = seeded(lambda: network.build(classes, network.convention), seed=1).eval()
    for height, width in ((8 * stride, 12 * stride), (12 * stride, 8 * stride)):
        height, width = max(height, 64), max(width, 64)
        with torch.no_grad():
            found = tuple(net(torch.randn(2, 3, height, width)).shape)
        expected = (2, classes, height // output_stride, width // output_stride)
        assert found == expected, f"the logits are {found}, not {expected}"
    state = net.state_dict()
    part = net.get_submodule(network.pretrained_part)
    settings = {field.name for field in fields(Recipe)} - {"name"}
    unknown = network.modern.keys() - settings
    assert not unknown, f"modern changes {', '.join(sorted(unknown))}, which are not recipe fields"
    for prefix in network.may_start_random:
        assert any(key.startswith(prefix) for key in part.state_dict()), f"no weight {prefix!r}"
    for prefix in network.score_layers:
        assert any(key.startswith(prefix) for key in state), f"no weight starts with {prefix!r}"
    if network.adapt is not None:
        own = part.state_dict()
        adapted = network.adapt(own, classes)
        assert adapted.keys() == own.keys(), "adapt loses the network's own keys"
    images = torch.rand(2, 3, *ODD_SIZE) * 255
    model, twin = (seeded(lambda: SegmentationModel(network, classes), seed=n) for n in (1, 2))
    twin.net.load_state_dict(model.net.state_dict())
    (logits,) = _check_twins(model.eval(), twin.eval(), images)
    shape = (2, classes, *ODD_SIZE)
    assert logits.shape == shape, f"images of {ODD_SIZE} have logits {tuple(logits.shape)}"
    assert logits.isfinite().all(), "the logits are not finite"
    _check_gradients(model, images)
    with tempfile.TemporaryDirectory() as folder:
        _export_onnx(twin, Path(folder) / "network.onnx", Setup(SIZES[0]))


def _export_onnx(model: SegmentationModel, path: Path, setup: Setup) -> None:
    """Write ``model`` with the installed runtime "onnx", which compares the two."""
    runtime = Registry.load().runtime("onnx")
    assert runtime.export, "the runtime 'onnx' must export files"
    runtime.export(model, setup, path)


def _check_features(encoder: nn.Module, images: Tensor) -> None:
    batch, _, height, width = images.shape
    with torch.no_grad():
        features = encoder(images)
    assert len(features) == 3, f"the encoder returns {len(features)} features, not 3"
    channels_of = cast(Encoder, encoder).channels
    for feature, channels, stride in zip(features, channels_of, (8, 16, 32), strict=True):
        expected = (batch, channels, height // stride, width // stride)
        found = tuple(feature.shape)
        assert found == expected, f"stride {stride}: the feature is {found}, not {expected}"
        assert feature.isfinite().all(), f"stride {stride}: the feature is not finite"


def _check_twins(module: nn.Module, twin: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    """Both outputs for the images; ``twin`` has loaded the module's state dict."""
    with torch.no_grad():
        ours, theirs = (_outputs(each, images) for each in (module, twin))
    assert_close(theirs, ours, msg="the state dict does not determine the output")
    return ours


def _check_gradients(module: nn.Module, images: Tensor) -> None:
    outputs = _outputs(module.train(), images)
    torch.stack([output.square().mean() for output in outputs]).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, f"{name!r} gets no gradient: nothing uses it"
        assert parameter.grad.isfinite().all(), f"the gradient of {name!r} is not finite"


def _outputs(module: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    found = module(images)
    return (found,) if isinstance(found, Tensor) else tuple(found)
