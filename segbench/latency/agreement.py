"""Whether a runtime agrees with eager FP32 on frames of the network's dataset."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segbench.data.frames import resize_image
from segbench.data.layouts import provide
from segbench.data.pictures import read_image
from segbench.errors import DataError, SegbenchError, kept
from segbench.inference.agreement import Agreement, full_batches, output_of
from segbench.plugins import Registry
from segbench.types import Dataset, Session, Size

FRAMES = 4
NOISE = "noise"


@dataclass(frozen=True)
class Samples:
    """Images (N, H, W, 3) to compare outputs on, and their source."""

    images: NDArray[np.uint8]
    source: str


def dataset_of(registry: Registry, name: str | None) -> Dataset:
    """The dataset of that name; for random weights, one that generates its frames."""
    return registry.dataset(name) if name else registry.self_made_dataset()


def samples_to_compare(
    registry: Registry, dataset_name: str | None, data_root: Path, size: Size
) -> Samples:
    """Four frames of the dataset's scored split; seeded noise if they are unavailable."""
    try:
        dataset = dataset_of(registry, dataset_name)
        return Samples(_frames(dataset, data_root, size), f"{dataset.name} {dataset.score_split}")
    except SegbenchError:
        random = np.random.default_rng(0)
        return Samples(random.integers(0, 256, (FRAMES, *size, 3), dtype=np.uint8), NOISE)


def compare(
    sessions: Mapping[str, Session],
    reference: Session,
    images: NDArray[np.uint8],
    batch_size: int,
) -> dict[str, Agreement | Exception]:
    """Each session's agreement with the logits of ``reference``.

    Sessions take exactly ``batch_size`` images, so the last batch starts again at the first. If a
    session raises, its error is returned; the others go on.
    """
    found = {name: Agreement() for name in sessions}
    errors: dict[str, Exception] = {}
    for batch in full_batches(images, batch_size):
        expected = output_of(reference, batch)
        for name in list(found):
            try:
                output = output_of(sessions[name], batch)
            except Exception as error:
                errors[name] = kept(error)
                del found[name]
            else:
                found[name].add(output, expected)
    return errors | found


def _frames(dataset: Dataset, data_root: Path, size: Size) -> NDArray[np.uint8]:
    folder = dataset.locate(data_root)
    frames = dataset.frames(folder, dataset.score_split)
    if not frames:
        raise DataError(f"Split {dataset.score_split!r} of {dataset.name} has no frames.")
    chosen = frames[:: max(1, len(frames) // FRAMES)][:FRAMES]
    provide(dataset, folder, chosen)
    return np.stack([resize_image(read_image(frame.image), size) for frame in chosen])
