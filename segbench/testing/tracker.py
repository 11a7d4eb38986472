"""The contract of a tracker."""

import tempfile
from pathlib import Path

import numpy as np

from segbench.testing.shared import SIZES, check_name
from segbench.types import TrackedTraining, Tracker


def check_tracker(tracker: Tracker) -> None:
    """Check that a run logs an epoch and a result, and resumes by id; needs a reachable tracker."""
    check_name(tracker.name, tracker.summary)
    if tracker.check:
        tracker.check()
    image = np.zeros((*SIZES[0], 3), np.uint8)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        checkpoint = folder / "best.safetensors"
        checkpoint.write_bytes(b"weights")
        parameters: dict[str, str | float] = {"dataset": "mine", "lr": 0.1, "flip": True}
        first = tracker.start(TrackedTraining("a run", parameters, folder))
        assert isinstance(first.id, str), f"the id is {first.id!r}, not a string"
        assert isinstance(first.address, str), f"the address is {first.address!r}, not a string"
        first.log_epoch(1, {"loss/train": 2.0}, {"validation/0": image})
        first.close(finished=False)
        again = tracker.start(TrackedTraining("a run", parameters, folder, first.id))
        assert again.id == first.id, f"the run {first.id} resumes as {again.id}"
        again.log_epoch(2, {"loss/train": 1.0}, {"validation/0": image})
        again.log_result({"score": 0.5, "iou/road": 0.5}, {"overlays/first": image}, checkpoint)
        again.close(finished=True)
