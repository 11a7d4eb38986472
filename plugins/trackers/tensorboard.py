"""TensorBoard: event files in the run's folder; ``tensorboard --logdir runs`` shows all runs."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from segbench import SegbenchError, TrackedTraining, Tracker, hookimpl
from segbench.types import Image

FOLDER = "tensorboard"


class TensorBoardRun:
    """A folder of event files, named by the start time of the training."""

    def __init__(self, training: TrackedTraining) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.id = training.id or f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        if Path(self.id).name != self.id or self.id == "..":
            raise SegbenchError(f"{self.id!r} is not the name of a folder in {FOLDER}/")
        self.address = str(training.output / FOLDER / self.id)
        self.parameters = dict(training.parameters)
        self.writer = SummaryWriter(self.address)
        if training.id is None:
            rows = "".join(f"| {name} | {value} |\n" for name, value in self.parameters.items())
            self.writer.add_text("parameters", f"| parameter | value |\n|---|---|\n{rows}")
            self.writer.flush()

    def log_epoch(
        self, epoch: int, curves: Mapping[str, float], images: Mapping[str, Image]
    ) -> None:
        """Log scalars and images at the step ``epoch``."""
        for name, value in curves.items():
            self.writer.add_scalar(name, value, epoch)
        self._add_images(images, epoch)
        self.writer.flush()

    def log_result(
        self, scores: Mapping[str, float], images: Mapping[str, Image], checkpoint: Path
    ) -> None:
        """Log scores with the parameters under HParams; the checkpoint is named, not copied."""
        final = {f"final/{name}": value for name, value in scores.items()}
        self.writer.add_hparams(self.parameters, final, run_name=".")
        self.writer.add_text("checkpoint", str(checkpoint))
        self._add_images(images, 0)
        self.writer.flush()

    def close(self, finished: bool) -> None:
        """Flush the last events."""
        self.writer.close()

    def _add_images(self, images: Mapping[str, Image], step: int) -> None:
        for name, image in images.items():
            self.writer.add_image(name, image, step, dataformats="HWC")


@hookimpl
def segbench_trackers() -> Iterator[Tracker]:
    """TensorBoard."""
    yield Tracker(
        name="tensorboard",
        summary="TensorBoard, in the run's folder",
        start=TensorBoardRun,
        requires=("tensorboard",),
        extra="tensorboard",
    )
