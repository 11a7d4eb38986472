"""MLflow: a server or a local database, by ``MLFLOW_TRACKING_URI``."""

import os
import re
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from segbench import SegbenchError, TrackedTraining, Tracker, hookimpl
from segbench.inference.downloads import reachable
from segbench.types import Image

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "segbench"
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
"""Defaults for MLflow's settings: its own seven retries block a training for minutes."""


def connect() -> "MlflowClient":
    """A client of the user's server or database."""
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient, get_tracking_uri

    uri = get_tracking_uri()
    if uri.startswith("sqlite:") and find_spec("sqlalchemy") is None:
        raise SegbenchError(
            f'{uri} needs more packages: pip install "segbench[mlflow]", or name a server in '
            "MLFLOW_TRACKING_URI"
        )
    return MlflowClient(uri)


def check() -> None:
    """Raise SegbenchError if the server does not answer, or the database cannot be opened."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if uri.startswith("http") and not reachable(uri):
        raise SegbenchError(f"{uri} (MLFLOW_TRACKING_URI) does not answer")
    connect().get_experiment_by_name(_experiment())


class MlflowRun:
    """A run of the experiment in ``MLFLOW_EXPERIMENT_NAME``, or of "segbench"."""

    def __init__(self, training: TrackedTraining) -> None:
        from mlflow.entities import Param

        self.client = connect()
        if training.id is None:
            run = self.client.create_run(self._experiment_id(), run_name=training.name)
            self.id: str = run.info.run_id
            values = [Param(_key(k), str(v)) for k, v in training.parameters.items()]
            self.client.log_batch(self.id, params=values)
        else:
            self.id = training.id
            self.client.update_run(self.id, status="RUNNING")
        self.address = f"run {self.id} in {self.client.tracking_uri}"

    def log_epoch(
        self, epoch: int, curves: Mapping[str, float], images: Mapping[str, Image]
    ) -> None:
        """Log metrics at the step ``epoch``; images are one series each."""
        self._log_metrics(curves, epoch)
        for name, image in images.items():
            self.client.log_image(self.id, image, key=_key(name), step=epoch)

    def log_result(
        self, scores: Mapping[str, float], images: Mapping[str, Image], checkpoint: Path
    ) -> None:
        """Log metrics without a curve, and artifacts: overlays and the checkpoint."""
        self._log_metrics(scores)
        for name, image in images.items():
            self.client.log_image(self.id, image, artifact_file=f"{name}.png")
        self.client.log_artifact(self.id, str(checkpoint), "checkpoint")

    def close(self, finished: bool) -> None:
        """End the run; an interrupted training is KILLED in MLflow until it is resumed."""
        self.client.set_terminated(self.id, "FINISHED" if finished else "KILLED")

    def _experiment_id(self) -> str:
        found = self.client.get_experiment_by_name(_experiment())
        return found.experiment_id if found else self.client.create_experiment(_experiment())

    def _log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        from mlflow.entities import Metric

        now = round(time.time() * 1000)
        metrics = [Metric(_key(name), value, now, step) for name, value in values.items()]
        self.client.log_batch(self.id, metrics=metrics)


def _experiment() -> str:
    return os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)


def _key(name: str) -> str:
    """A name with only the characters that MLflow allows."""
    return re.sub(r"[^\w./ -]", "_", name)


@hookimpl
def segbench_trackers() -> Iterator[Tracker]:
    """MLflow."""
    yield Tracker(
        name="mlflow",
        summary="MLflow, at MLFLOW_TRACKING_URI or in ./mlflow.db",
        start=MlflowRun,
        check=check,
        requires=("mlflow-skinny",),
        extra="mlflow",
    )
