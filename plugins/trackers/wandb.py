"""Weights & Biases, configured by its variables (``WANDB_MODE``, ``WANDB_PROJECT``, ...)."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from segbench import SegbenchError, TrackedTraining, Tracker, hookimpl
from segbench.inference.downloads import reachable
from segbench.types import Image

PROJECT = "segbench"


def check() -> None:
    """Raise SegbenchError without a key, for which wandb would prompt, or a server."""
    import wandb

    settings = wandb.setup(wandb.Settings(console="off", silent=True)).settings
    if settings.mode not in ("online", "shared"):
        return
    if not wandb.login(prompt=False, verify=False):
        raise SegbenchError("there is no API key; run `wandb login`, or set WANDB_MODE=offline")
    if not reachable(settings.base_url):
        raise SegbenchError(f"{settings.base_url} does not answer; set WANDB_MODE=offline")


class WandbRun:
    """A run of the project in ``WANDB_PROJECT``, or of "segbench"."""

    def __init__(self, training: TrackedTraining) -> None:
        import wandb

        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=training.name,
            config=dict(training.parameters),
            id=training.id,
            resume="allow" if training.id else None,
            reinit="create_new",
            settings=wandb.Settings(console="off", silent=True),
        )
        self.id: str = self.run.id
        self.address: str = self.run.url or str(Path(self.run.dir).parent)

    def log_epoch(
        self, epoch: int, curves: Mapping[str, float], images: Mapping[str, Image]
    ) -> None:
        """Log everything at the step ``epoch``."""
        self.run.log({**curves, **self._images(images)}, step=epoch)

    def log_result(
        self, scores: Mapping[str, float], images: Mapping[str, Image], checkpoint: Path
    ) -> None:
        """Log scores in the summary; the checkpoint is an artifact of the type "model"."""
        self.run.summary.update(dict(scores))
        self.run.log(self._images(images))
        self.run.log_artifact(str(checkpoint), name=f"checkpoint-{self.id}", type="model")

    def close(self, finished: bool) -> None:
        """Send what remains and end the run."""
        self.run.finish(exit_code=0 if finished else 1)

    def _images(self, images: Mapping[str, Image]) -> dict[str, object]:
        import wandb

        return {name: wandb.Image(image) for name, image in images.items()}


@hookimpl
def segbench_trackers() -> Iterator[Tracker]:
    """Weights & Biases."""
    yield Tracker(
        name="wandb",
        summary="Weights & Biases",
        start=WandbRun,
        check=check,
        requires=("wandb",),
        extra="wandb",
    )
