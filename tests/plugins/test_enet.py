"""ENet has the paper's shape, unpools exactly, runs on every engine and loads published weights."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from segbench.data.frames import labelled_frames
from segbench.errors import SegbenchError
from segbench.inference.checkpoint import load_weights
from segbench.inference.evaluate import evaluate
from segbench.inference.networks import LoadedNetwork
from segbench.plugins import Registry
from segbench.scoring.confusion import iou
from segbench.types import Setup
from segbench_plugins.networks.enet import ENet, Pooled, max_pool, max_unpool
from segbench_plugins.networks.plugin import without_void
from tests.networks_on_engines import errors_of_engines, seeded


@pytest.mark.parametrize("size", [(8, 16), (40, 24), (352, 480)])
def test_logits_have_the_size_of_the_images(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert ENet(11).eval()(torch.rand(1, 3, *size)).shape == (1, 11, *size)


def test_parameters_are_those_of_pytorch_enet() -> None:
    """0.35 million; the paper counts 0.37, with wider bottlenecks where the size changes."""
    assert sum(parameter.numel() for parameter in ENet(20).parameters()) == 351_804


@given(
    shape=st.tuples(*(st.integers(1, 3) for _ in range(4))),
    levels=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_unpooling_is_torchs_with_ties_too(
    shape: tuple[int, int, int, int], levels: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    batch, channels, rows, columns = shape
    size = (batch, channels, 2 * rows, 2 * columns)
    features = torch.randint(-levels, levels, size, generator=generator).float()
    values = torch.randn(shape, generator=generator)
    expected, indices = nn.functional.max_pool2d(features, 2, return_indices=True)
    found = max_pool(features)
    assert torch.equal(found.values, expected)
    unpooled = max_unpool(Pooled(values, found.places))
    assert torch.equal(unpooled, nn.functional.max_unpool2d(values, indices, 2))


def test_every_engine_has_eagers_logits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = seeded(ENet(5))
    for engine, error in errors_of_engines(model, torch.rand(2, 3, 32, 48), tmp_path).items():
        assert error < 1e-4, engine


def test_all_layers_learn() -> None:
    model = ENet(3).train()
    model(torch.rand(2, 3, 32, 32)).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.fixture
def published(weights_root: Path) -> LoadedNetwork:
    path = weights_root / "enet.cityscapes.safetensors"
    if not path.is_file():
        pytest.skip("needs enet.cityscapes.safetensors")
    registry = Registry.load()
    return load_weights(registry.network("enet"), path, registry.dataset("cityscapes"))


def scored(network: LoadedNetwork, data_root: Path, split: str) -> tuple[float | None, float]:
    """The official mean, which counts a class that no label shows as 0, and the mean without."""
    registry = Registry.load()
    cityscapes = registry.dataset("cityscapes")
    frames = labelled_frames(cityscapes, cityscapes.locate(data_root), split, None)
    session = registry.runtime("eager").open(network.model, Setup(network.size, device="cpu"))
    found = evaluate(session, cityscapes, frames, network.size)
    matrix = found.confusions.sum(0)
    return found.score, float(iou(matrix)[matrix.sum(1) > 0].mean())


@pytest.mark.parametrize(
    ("split", "official", "given"), [("val", 0.4430, 0.6836), ("train", 0.4878, 0.6178)]
)
def test_published_weights_have_the_score_that_came_with_them(
    published: LoadedNetwork, data_root: Path, split: str, official: float, given: float
) -> None:
    assert published.size == (512, 1024)
    assert scored(published, data_root, split) == (
        pytest.approx(official, abs=5e-4),
        pytest.approx(given, abs=2e-3),
    )


def test_the_output_for_void_is_dropped() -> None:
    published = ENet(5).state_dict()
    adapted = without_void(published, 4)
    kept = adapted["transposed_conv.weight"]
    assert torch.equal(kept, published["transposed_conv.weight"][:, :4])
    assert without_void(published, 5) is published


def test_weights_for_other_classes_are_refused(weights_root: Path) -> None:
    path = weights_root / "enet.cityscapes.safetensors"
    if not path.is_file():
        pytest.skip("needs enet.cityscapes.safetensors")
    registry = Registry.load()
    with pytest.raises(SegbenchError, match=r"11 classes of 'camvid' \(transposed_conv\)"):
        load_weights(registry.network("enet"), path, registry.dataset("camvid"))
