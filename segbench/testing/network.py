"""The contract of a whole network."""

import tempfile
from dataclasses import fields
from pathlib import Path

import torch

from segbench.networks.model import SegmentationModel
from segbench.plugins import Registry
from segbench.testing.shared import ODD_SIZE, SIZES, check_gradients, check_name, check_twins
from segbench.testing.tiny import seeded
from segbench.types import Network, Recipe, Setup


def check_network(network: Network) -> None:
    """Check a network: sizes, classes, gradients, state dict, ONNX export."""
    check_name(network.name, network.summary)
    classes, (stride, output_stride) = 3, (network.stride, network.output_stride)
    net = seeded(lambda: network.build(classes, network.convention), seed=1).eval()
    short, long = (-(-max(pixels, 64) // stride) * stride for pixels in (8 * stride, 12 * stride))
    for height, width in ((short, long), (long, short)):
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
    (logits,) = check_twins(model.eval(), twin.eval(), images)
    shape = (2, classes, *ODD_SIZE)
    assert logits.shape == shape, f"images of {ODD_SIZE} have logits {tuple(logits.shape)}"
    assert logits.isfinite().all(), "the logits are not finite"
    check_gradients(model, images)
    with tempfile.TemporaryDirectory() as folder:
        _export_onnx(twin, Path(folder) / "network.onnx", Setup(SIZES[0]))


def _export_onnx(model: SegmentationModel, path: Path, setup: Setup) -> None:
    """Write ``model`` with the installed runtime "onnx", which compares the two."""
    runtime = Registry.load().runtime("onnx")
    assert runtime.export, "the runtime 'onnx' must export files"
    runtime.export(model, setup, path)
