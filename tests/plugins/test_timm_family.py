"""Any timm model with the right strides is a backbone; the others are refused with the reason."""

from typing import Any

import pytest

from segbench.errors import PluginError
from segbench.plugins import Registry, listing
from segbench.testing import check_backbone

REGISTRY = Registry.load()


def built(name: str) -> Any:
    backbone = REGISTRY.backbone(name)
    return backbone.build(backbone.convention)


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "dla46_c"])
def test_a_model_that_fits_keeps_the_contract(name: str) -> None:
    check_backbone(REGISTRY.backbone(f"timm/{name}"))


def test_mean_and_deviation_are_timms() -> None:
    convention = REGISTRY.backbone("timm/tf_efficientnet_lite0").convention
    assert convention.mean == convention.std == pytest.approx((127.5,) * 3)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("resnet_18", "resnet18"), ("vit_tiny_patch16_224", "strides 16, 16, 16")],
)
def test_a_model_that_does_not_fit_is_refused(name: str, reason: str) -> None:
    with pytest.raises(PluginError, match=reason):
        built(f"timm/{name}")


def test_the_family_is_one_line_unless_all_are_asked_for() -> None:
    lines = [line.name for line in listing(REGISTRY) if line.name.startswith("timm/")]
    assert lines == ["timm/NAME"]
    assert "timm/resnet18" in {line.name for line in listing(REGISTRY, members=True)}


def test_the_origin_is_that_of_the_family() -> None:
    assert REGISTRY.origin(REGISTRY.backbone("timm/resnet18")).distribution == "segbench"
