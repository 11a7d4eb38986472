"""Weights from files: what fits is loaded, what does not is named."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from segbench.errors import SegbenchError
from segbench.inference import weights
from segbench.inference.checkpoint import save_checkpoint
from segbench.inference.networks import fcn8s_on
from segbench.inference.weights import LoadedWeights, build_model, file_sha256, weights_label
from segbench.types import Backbone, InputConvention
from segbench_plugins.backbones import mobilenet, vgg16
from tests.tiny import TinyEncoder, fcn8s_over, tiny_backbone


def tiny_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return TinyEncoder().state_dict()


def build_encoder(backbone: Backbone, weights: str) -> tuple[Any, LoadedWeights]:
    """The encoder of FCN8s with ``weights``."""
    model, loaded = build_model(fcn8s_on(backbone), 3, weights)
    return model.net.encoder, loaded


def save(path: Path, state: dict[str, torch.Tensor], **metadata: str) -> str:
    save_file(state, path, metadata=metadata)
    return str(path)


def test_a_safetensors_file_is_loaded_and_its_surplus_counted(tmp_path: Path) -> None:
    state = tiny_state()
    path = save(tmp_path / "w.safetensors", state | {"classifier.weight": torch.ones(3)})
    encoder, loaded = build_encoder(tiny_backbone(), path)
    assert torch.equal(encoder.state_dict()["to8.0.weight"], state["to8.0.weight"])
    assert (loaded.source, loaded.ignored, loaded.fresh) == ("w.safetensors", 1, ())


def test_the_input_convention_belongs_to_the_weights(tmp_path: Path) -> None:
    path = save(tmp_path / "w.safetensors", tiny_state(), mean="1,2,3", std="4,5,6", padding="same")
    assert build_encoder(tiny_backbone(), path)[1].convention == InputConvention(
        (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), "same"
    )


@pytest.mark.parametrize("metadata", [{"mean": "1,2"}, {"std": "a,b,c"}, {"padding": "odd"}])
def test_wrong_metadata_is_refused(tmp_path: Path, metadata: dict[str, str]) -> None:
    path = save(tmp_path / "w.safetensors", tiny_state(), **metadata)
    with pytest.raises(SegbenchError, match="metadata"):
        build_encoder(tiny_backbone(), path)


def test_a_torch_state_dict_is_read_weights_only(tmp_path: Path) -> None:
    torch.save({"state_dict": tiny_state()}, tmp_path / "w.pth")
    assert build_encoder(tiny_backbone(), str(tmp_path / "w.pth"))[1].ignored == 0
    torch.save({"model": TinyEncoder()}, tmp_path / "whole.pth")
    with pytest.raises(SegbenchError, match="is not a weights file"):
        build_encoder(tiny_backbone(), str(tmp_path / "whole.pth"))


@pytest.mark.parametrize(
    ("wrap", "prefix", "found_under"),
    [
        (lambda state: state, "", None),
        (lambda state: {"state_dict": state, "epoch": 3}, "module.", "state_dict, prefix module."),
        (lambda state: {"model": state, "optimizer": {"state": {}}}, "", "model"),
        (lambda state: {"model": state, "args": Namespace(lr=0.1)}, "", "model"),
        (
            lambda state: {"model_state_dict": state, "best": np.float64(0.5)},
            "",
            "model_state_dict",
        ),
        (lambda state: {"net": {"state_dict": state}}, "", "net.state_dict"),
        (lambda state: {"ema": state, "step": torch.tensor(3)}, "encoder.", "ema, prefix encoder."),
        (lambda state: state, "_orig_mod.module.", "prefix _orig_mod.module."),
        (lambda state: state, "model.backbone.", "prefix model.backbone."),
    ],
)
def test_weights_are_found_as_people_save_them(
    tmp_path: Path, wrap: Callable, prefix: str, found_under: str | None
) -> None:
    state = {prefix + key: tensor for key, tensor in tiny_state().items()}
    torch.save(wrap(state), tmp_path / "w.pth")
    encoder, loaded = build_encoder(tiny_backbone(), str(tmp_path / "w.pth"))
    assert torch.equal(encoder.state_dict()["to8.0.weight"], tiny_state()["to8.0.weight"])
    assert (loaded.found_under, loaded.ignored) == (found_under, 0)
    said = f"w.pth: found under {found_under}; 0 keys" if found_under else "w.pth: 0 keys"
    assert loaded.summary().startswith(said)


def test_other_parts_of_a_network_are_ignored(tmp_path: Path) -> None:
    state = {f"module.encoder.{key}": tensor for key, tensor in tiny_state().items()}
    path = save(tmp_path / "w.safetensors", state | {"module.decoder.weight": torch.ones(3)})
    loaded = build_encoder(tiny_backbone(), path)[1]
    assert loaded.summary() == "w.safetensors: found under prefix module.encoder.; 1 keys ignored"


def test_a_prefix_is_stripped_before_foreign_keys_are_adapted(tmp_path: Path) -> None:
    def adapt(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {key.replace("block", "to"): tensor for key, tensor in state.items()}

    foreign = {f"module.{key.replace('to', 'block')}": t for key, t in tiny_state().items()}
    path = save(tmp_path / "w.safetensors", foreign)
    encoder, loaded = build_encoder(replace(tiny_backbone(), adapt=adapt), path)
    assert loaded.found_under == "prefix module."
    assert torch.equal(encoder.state_dict()["to8.0.weight"], tiny_state()["to8.0.weight"])


def test_a_checkpoint_of_segbench_brings_its_encoder_and_its_convention(tmp_path: Path) -> None:
    convention = InputConvention((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), "same")
    model = fcn8s_over(TinyEncoder(), 2, convention)
    save_checkpoint(tmp_path / "best.safetensors", model, {"backbone": "tiny"})
    encoder, loaded = build_encoder(tiny_backbone(), str(tmp_path / "best.safetensors"))
    assert (loaded.found_under, loaded.convention) == ("prefix encoder.", convention)
    assert torch.equal(encoder.state_dict()["to8.0.weight"], model.net.encoder.to8[0].weight)


def test_where_nothing_fits_the_nearest_keys_of_both_sides_are_shown(tmp_path: Path) -> None:
    others = {key.replace("to8", "stage8"): t for key, t in tiny_state().items() if "to8" in key}
    with pytest.raises(SegbenchError) as refused:
        build_encoder(tiny_backbone(), save(tmp_path / "w.safetensors", others))
    for key in ("'to8.0.weight'", "'to8.0.bias'", "'stage8.0.weight'", "'stage8.0.bias'"):
        assert key in refused.value.message


def test_a_file_without_a_state_dict_says_what_it_has(tmp_path: Path) -> None:
    torch.save({"optimizer": {"state": {}}, "epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(SegbenchError, match="optimizer, epoch"):
        build_encoder(tiny_backbone(), str(tmp_path / "w.pth"))


@pytest.mark.parametrize(
    "quantise",
    [
        lambda tensor: tensor.clamp(-1, 1).mul(127).to(torch.int8),
        lambda tensor: tensor.to(torch.float8_e4m3fn),
        lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_quantised_weights_are_refused(tmp_path: Path, quantise: Callable) -> None:
    state = tiny_state()
    torch.save(state | {"to16.0.weight": quantise(state["to16.0.weight"])}, tmp_path / "w.pth")
    with pytest.raises(SegbenchError, match="are quantised"):
        build_encoder(tiny_backbone(), str(tmp_path / "w.pth"))


def test_weights_of_16_bits_are_read(tmp_path: Path) -> None:
    halves = {key: tensor.half() for key, tensor in tiny_state().items()}
    encoder, _ = build_encoder(tiny_backbone(), save(tmp_path / "w.safetensors", halves))
    assert encoder.state_dict()["to8.0.bias"].dtype == torch.float32


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    state = tiny_state()
    del state["to16.0.bias"]
    path = save(tmp_path / "w.safetensors", state)
    with pytest.raises(SegbenchError, match=r"1 of 14 keys are missing; .*'to16\.0\.bias'"):
        build_encoder(tiny_backbone(), path)


def test_a_wrong_shape_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "w.safetensors", tiny_state() | {"to8.0.bias": torch.ones(9)})
    with pytest.raises(SegbenchError, match=r"'to8\.0\.bias' has shape \(9,\), not \(8,\)"):
        build_encoder(tiny_backbone(), path)


@pytest.mark.parametrize("content", [b"", b"not weights at all"])
@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_a_file_that_is_no_weights_file_is_refused(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SegbenchError, match="is not a weights file"):
        build_encoder(tiny_backbone(), str(tmp_path / name))


def test_a_file_that_a_training_replaces_meanwhile_is_not_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.safetensors"
    save(path, tiny_state())
    read = weights.file_sha256

    def replaced_after_the_digest(path: Path) -> str:
        digest = read(path)
        save(tmp_path / "new", tiny_state())
        (tmp_path / "new").replace(path)
        return digest

    monkeypatch.setattr(weights, "file_sha256", replaced_after_the_digest)
    with pytest.raises(SegbenchError, match="was replaced while it was read"):
        build_encoder(tiny_backbone(), str(path))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for use in (lambda path: build_encoder(tiny_backbone(), path), weights_label):
        with pytest.raises(SegbenchError, match=r"There is no file .*w\.pth; give --weights"):
            use(str(tmp_path / "w.pth"))


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_a_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(SegbenchError, match="/proc/self/mem cannot be read"):
        file_sha256(Path("/proc/self/mem"))


def test_a_download_that_fails_names_the_option() -> None:
    def offline() -> dict:
        raise ConnectionError("no route to host")

    backbone = Backbone("b", "", lambda convention: TinyEncoder(), imagenet=offline)
    with pytest.raises(SegbenchError, match=r"no route to host.*--weights FILE or --weights none"):
        build_encoder(backbone, "imagenet")
    with pytest.raises(SegbenchError, match="no ImageNet weights"):
        build_encoder(tiny_backbone(), "imagenet")


def test_vgg16_takes_the_classifier_of_torchvision_and_of_timm() -> None:
    fc6 = torch.arange(4096.0).unsqueeze(1).expand(4096, 25088)
    torchvision = {"classifier.0.weight": fc6, "classifier.3.bias": torch.ones(4096)}
    adapted = vgg16.adapt(torchvision)
    assert adapted["fc6.weight"].shape == (4096, 512, 7, 7)
    assert adapted["fc6.weight"][5].unique().tolist() == [5.0]
    assert "fc7.bias" in adapted
    timm = {"pre_logits.fc1.weight": torch.ones(4096, 512, 7, 7), "features.0.bias": torch.ones(1)}
    assert set(vgg16.adapt(timm)) == {"fc6.weight", "features.0.bias"}


@pytest.mark.parametrize(
    ("name", "file", "ignored"),
    [
        ("mobilenet", "mobilenetv2_100.imagenet.safetensors", 7),
        ("mobilenetv1", "mobilenetv1_100.imagenet.safetensors", 0),
    ],
)
def test_real_mobilenet_weights_fit(weights_root: Path, name: str, file: str, ignored: int) -> None:
    backbones = {backbone.name: backbone for backbone in mobilenet.segbench_backbones()}
    _, loaded = build_encoder(backbones[name], str(weights_root / file))
    assert loaded.convention == InputConvention((127.5,) * 3, (127.5,) * 3, "same")
    assert (loaded.ignored, loaded.fresh) == (ignored, ())


def test_real_vgg16_weights_leave_fc6_and_fc7_fresh(weights_root: Path) -> None:
    (backbone,) = vgg16.segbench_backbones()
    _, loaded = build_encoder(backbone, str(weights_root / "vgg16.imagenet.safetensors"))
    assert loaded.convention.mean == (123.68, 116.779, 103.939)
    assert loaded.convention.std == (1.0, 1.0, 1.0)
    assert loaded.fresh == ("fc6", "fc7")
