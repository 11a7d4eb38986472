"""A runtime's output beside eager FP32's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segbench.latency.agreement import Agreement, compare, samples_to_compare
from segbench.plugins import Registry
from tests.tiny import SIZE, tiny_dataset, write_tiny

REFERENCE = np.array([[[[3.0, 0.0]], [[0.0, 4.0]]]], np.float32)  # classes 0 and 1


def against_reference(output: NDArray[Any]) -> Agreement:
    found = Agreement()
    found.add(output, REFERENCE)
    return found


def test_the_error_is_rms_over_rms() -> None:
    found = against_reference(REFERENCE + np.float32(0.5))
    assert found.share == 1
    assert found.error == pytest.approx(1 / 5)
    assert found.metrics() == {"agreement": 1, "logit_error": found.error}


def test_class_maps_have_a_share_and_no_error() -> None:
    found = against_reference(np.array([[[0, 0]]], np.uint8))
    assert found.metrics() == {"agreement": 0.5, "logit_error": None}


def test_a_network_whose_logits_are_all_zero_is_met_exactly_or_not_at_all() -> None:
    found = Agreement()
    found.add(np.zeros_like(REFERENCE), np.zeros_like(REFERENCE))
    assert found.error == 0
    found.add(REFERENCE, np.zeros_like(REFERENCE))
    assert found.metrics()["logit_error"] is None


@pytest.mark.parametrize(
    ("equal", "trained", "error", "reason"),
    [
        (91, True, 0.5, None),
        (89, True, 0.01, "only 89.0% of its pixels"),
        (60, False, 0.2, None),
        (99, False, 0.3, "30% off"),
        (89, True, None, "only 89.0%"),
        (60, False, None, None),
        (40, False, None, "only 40.0%"),
    ],
)
def test_trained_networks_are_judged_by_classes_and_fresh_ones_by_logits(
    equal: int, trained: bool, error: float | None, reason: str | None
) -> None:
    squared = 0.0 if error is None else 100 * error**2
    found = Agreement(equal, 100, squared, 100.0, logits=error is not None)
    doubts = found.doubts(trained)
    assert doubts == [] if reason is None else reason in doubts[0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("trained", [True, False])
def test_logits_that_are_not_finite_are_said_to_be_so(value: float, trained: bool) -> None:
    output = REFERENCE.copy()
    output[0, 0, 0, 0] = value
    found = against_reference(output)
    assert found.metrics()["logit_error"] is None
    assert found.doubts(trained) == ["its logits are not finite"]


class Echo:
    """A session whose logits are two channels of its images; it takes two images at a time."""

    engine, details = "echo", dict[str, Any]()

    def prepare(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        assert len(images) == 2
        return images

    def run(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        return inputs[..., :2].transpose(0, 3, 1, 2).astype(np.float32)

    def fetch(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return outputs

    def synchronize(self) -> None: ...


class Flipped(Echo):
    def run(self, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
        return super().run(inputs)[:, ::-1]


def test_every_batch_is_full_and_each_session_has_its_own_sums() -> None:
    images = np.zeros((3, 2, 2, 3), np.uint8)
    images[..., 0] = 9
    found = compare({"same": Echo(), "flipped": Flipped()}, Echo(), images, batch_size=2)
    same, flipped = agreement(found["same"]), agreement(found["flipped"])
    assert (same.share, flipped.share) == (1, 0)
    assert same.pixels == 4 * 4


def agreement(found: Agreement | Exception) -> Agreement:
    assert isinstance(found, Agreement)
    return found


class Failing(Echo):
    def fetch(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        raise RuntimeError("lost the device")


def test_a_session_that_fails_leaves_the_others_compared() -> None:
    images = np.ones((4, 2, 2, 3), np.uint8)
    found = compare({"failing": Failing(), "same": Echo()}, Echo(), images, 2)
    assert isinstance(found["failing"], RuntimeError)
    assert agreement(found["same"]).pixels == 4 * 4


def test_frames_come_from_the_scored_split(tmp_path: Path) -> None:
    registry = Registry.of(datasets=[tiny_dataset()])
    samples = samples_to_compare(registry, "tiny", write_tiny(tmp_path), SIZE)
    assert samples.source == "tiny test"
    assert samples.images.shape == (2, *SIZE, 3)


@pytest.mark.parametrize("name", ["tiny", "unknown"])
def test_without_data_it_is_seeded_noise(name: str, tmp_path: Path) -> None:
    registry = Registry.of(datasets=[tiny_dataset()])
    first, again = (samples_to_compare(registry, name, tmp_path, SIZE) for _ in range(2))
    assert first.source == "noise"
    assert first.images.shape == (4, *SIZE, 3)
    assert np.array_equal(first.images, again.images)
