"""FCN8s: any size, any number of classes, the paper's and the original project's decoder."""

import pytest
import torch
from torch.nn import functional

from segbench.errors import PluginError
from segbench.networks.model import SegmentationModel
from segbench.types import DECODERS, InputConvention
from tests.tiny import FineEncoder, TinyEncoder, fcn8s_over


def network(classes: int = 5, decoder: str = "bilinear") -> SegmentationModel:
    torch.manual_seed(0)
    encoder = FineEncoder() if decoder == "wide4" else TinyEncoder()
    return fcn8s_over(encoder, classes, decoder=decoder).eval()


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("size", [(64, 64), (33, 95), (1, 1), (100, 64)])
def test_logits_have_the_size_of_the_image(decoder: str, size: tuple[int, int]) -> None:
    logits = network(7, decoder)(torch.zeros(2, 3, *size))
    assert logits.shape == (2, 7, *size)


def test_upsampling_starts_as_bilinear_interpolation() -> None:
    coarse = torch.rand(1, 5, 6, 9)
    inner = (..., slice(1, -1), slice(1, -1))
    expected = functional.interpolate(coarse, scale_factor=2, mode="bilinear")
    assert torch.allclose(network().net.up16(coarse)[inner], expected[inner], atol=1e-6)


def test_score_layers_start_at_zero_and_so_do_logits() -> None:
    assert network()(torch.rand(1, 3, 32, 32) * 255).abs().max() == 0


def test_seed_decoder_has_three_transposed_convolutions_that_start_as_noise() -> None:
    model = network(decoder="transposed").net
    layers = [model.up32, model.up16, model.up8]
    assert [layer.stride[0] for layer in layers] == [2, 2, 8]
    assert all(0.0003 < layer.weight.std() < 0.0015 for layer in layers)


def test_the_wide_decoder_adds_features_from_coarse_to_fine_and_scores_them_once() -> None:
    net = network(decoder="wide").net
    taps = net.encoder(torch.zeros(1, 3, 64, 96))

    def doubled(coarse: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(coarse, scale_factor=2, mode="bilinear")

    fused = net.fuse16(net.reduce16(taps[1]) + doubled(net.reduce32(taps[2])))
    fused = net.fuse8(net.reduce8(taps[0]) + doubled(fused))
    assert fused.shape == (1, 128, 8, 12)
    logits = functional.interpolate(net.score(fused), scale_factor=8, mode="bilinear")
    assert torch.allclose(net(torch.zeros(1, 3, 64, 96)), logits, atol=1e-6)


def test_wide4_adds_the_scores_of_features_at_stride_4_which_start_at_zero() -> None:
    net = network(decoder="wide4").net
    images = torch.rand(1, 3, 64, 96)
    tap4, *coarser = net.encoder(images)

    def enlarged(features: torch.Tensor, factor: int) -> torch.Tensor:
        return functional.interpolate(features, scale_factor=factor, mode="bilinear")

    fused = net.fuse(*coarser)
    at8 = enlarged(net.score(fused), 2)
    assert torch.allclose(net(images), enlarged(at8, 4), atol=1e-6)
    torch.nn.init.normal_(net.score4.weight)
    fine = net.fuse4(net.reduce4(tap4) + enlarged(net.narrow(fused), 2))
    assert fine.shape == (1, 64, 16, 24)
    assert torch.allclose(net(images), enlarged(at8 + net.score4(fine), 4), atol=1e-6)


def test_wide4_needs_features_at_stride_4() -> None:
    with pytest.raises(PluginError, match=r"no features at stride 4.*--decoder wide"):
        fcn8s_over(TinyEncoder(), 2, decoder="wide4")


@pytest.mark.parametrize("decoder", ["bilinear", "transposed", "wide"])
def test_the_other_decoders_ignore_features_at_stride_4(decoder: str) -> None:
    fine = fcn8s_over(FineEncoder(), 3, decoder=decoder).eval()
    coarse = fcn8s_over(TinyEncoder(), 3, decoder=decoder).eval()
    coarse.load_state_dict(fine.state_dict(), strict=False)
    images = torch.rand(2, 3, 64, 64) * 255
    assert torch.equal(fine(images), coarse(images))
    for model in (fine, coarse):
        torch.manual_seed(0)  # the last feature has dropout
        model.prepare_training(images)
    assert torch.equal(fine(images), coarse(images))


def test_normalisation_is_inside() -> None:
    seen = []

    class Spy(TinyEncoder):
        def forward(self, images):
            seen.append(images)
            return super().forward(images)

    convention = InputConvention(mean=(10.0, 20.0, 30.0), std=(2.0, 4.0, 5.0))
    image = torch.tensor([14.0, 16.0, 30.0]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    fcn8s_over(Spy(), 2, convention).eval()(image)
    assert seen[0][0, :, 0, 0].tolist() == [2.0, -1.0, 0.0]


def test_taps_are_scaled_to_unit_deviation_and_the_scale_is_kept() -> None:
    model = network()
    images = torch.rand(4, 3, 64, 64) * 255
    model.prepare_training(images)
    averages = model.net.encoder.to8[1].running_mean.clone()
    model.train()
    taps = model.net.encoder((images - model.mean) / model.std)
    for tap, scale in zip(taps[:2], model.net.tap_scale[:2], strict=True):  # the last has dropout
        assert (tap * scale).std().item() == pytest.approx(1, abs=1e-4)
    assert averages.abs().max() == 0, "measuring changed the batch norms' averages"
    assert "tap_scale" in model.net.state_dict()
