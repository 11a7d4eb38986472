"""Any timm model with the right strides is a backbone; the others are refused with the reason."""

from pathlib import Path
from typing import Any

import pytest

from segbench.errors import PluginError, SegbenchError
from segbench.inference.downloads import check_weights
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
    [
        ("resnet_18", "Did you mean 'resnet18'"),
        ("resnet18.foo", "Did you mean 'resnet18'"),
        ("convnext_tiny_in22ft1k", "Did you mean 'convnext"),
        ("vit_tiny_patch16_224", "strides 16, 16, 16"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(name: str, reason: str) -> None:
    with pytest.raises(PluginError, match=reason):
        built(f"timm/{name}")


def test_without_a_hub_its_weights_are_refused_before_the_model_is_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    downloads = {"imagenet": REGISTRY.backbone("timm/resnet18").imagenet}
    with pytest.raises(SegbenchError, match="does not answer"):
        check_weights("imagenet", downloads)
    (tmp_path / "models--timm--resnet18.a1_in1k/snapshots/1").mkdir(parents=True)
    (tmp_path / "models--timm--resnet18.a1_in1k/snapshots/1/model.safetensors").touch()
    check_weights("imagenet", downloads)


def test_the_family_is_one_line_unless_all_are_asked_for() -> None:
    lines = [line.name for line in listing(REGISTRY) if line.name.startswith("timm/")]
    assert lines == ["timm/NAME"]
    assert "timm/resnet18" in {line.name for line in listing(REGISTRY, members=True)}


def test_the_origin_is_that_of_the_family() -> None:
    assert REGISTRY.origin(REGISTRY.backbone("timm/resnet18")).distribution == "segbench"
