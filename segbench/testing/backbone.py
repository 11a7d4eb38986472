"""The contract of a backbone."""

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from segbench.inference.networks import fcn8s_on
from segbench.networks.model import SegmentationModel
from segbench.testing.shared import ODD_SIZE, SIZES, check_gradients, check_name, check_twins
from segbench.testing.tiny import seeded
from segbench.types import Backbone, Encoder


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
    check_twins(encoder, twin, images)
    check_gradients(encoder, images)
    for padding in ("symmetric", "same"):
        convention = replace(backbone.convention, padding=padding)
        if convention != backbone.convention:
            _check_features(backbone.build(convention).eval(), images)
    model = SegmentationModel(fcn8s_on(backbone), 3).eval()
    logits = model(torch.rand(1, 3, *ODD_SIZE) * 255)
    assert logits.shape == (1, 3, *ODD_SIZE), f"FCN8s over it returns logits {tuple(logits.shape)}"


def _check_features(encoder: nn.Module, images: Tensor) -> None:
    batch, _, height, width = images.shape
    with torch.no_grad():
        features = encoder(images)
    assert len(features) in (3, 4), f"the encoder returns {len(features)} features, not 3 or 4"
    channels_of = cast(Encoder, encoder).channels
    strides = (4, 8, 16, 32)[-len(features) :]
    for feature, channels, stride in zip(features, channels_of, strides, strict=True):
        expected = (batch, channels, height // stride, width // stride)
        found = tuple(feature.shape)
        assert found == expected, f"stride {stride}: the feature is {found}, not {expected}"
        assert feature.isfinite().all(), f"stride {stride}: the feature is not finite"
