"""Overlays of predictions, as the original project wrote into its ``runs`` folder."""

from collections.abc import Sequence
from pathlib import Path

import PIL.Image
from torch import Tensor

from segbench.data.draw import drawing
from segbench.data.layouts import available, provide
from segbench.data.pictures import read_image
from segbench.errors import DataError
from segbench.files import draft_of
from segbench.inference.evaluate import predict_all
from segbench.progress import Reporter
from segbench.types import ClassMap, Dataset, Frame, Image, Session, Size

MOST = 300


def write_overlays(
    session: Session,
    dataset: Dataset,
    frames: Sequence[Frame],
    size: Size,
    output: Path,
    reporter: Reporter,
) -> None:
    """Class colours and a legend over each frame, as ``output/<frame id>.png``."""

    def read(frame: Frame) -> Image:
        return read_image(frame.image)

    def draw(frame: Frame, image: Image, logits: Tensor, classes: ClassMap) -> None:
        picture = drawing("overlay", image, classes, dataset)
        with draft_of(output / f"{frame.id}.png") as draft:
            PIL.Image.fromarray(picture).save(draft)

    predict_all(session, size, frames, read, draw, reporter, "overlays")


def frames_to_draw(
    dataset: Dataset, folder: Path, limit: int | None, reporter: Reporter
) -> Sequence[Frame]:
    """Test images, labelled or not; the scored frames if there are none.

    At most ``MOST``, evenly spaced.
    """
    try:
        frames = available(dataset, folder, "test")
    except DataError:
        frames = ()
    frames = (frames or tuple(dataset.frames(folder, dataset.score_split)))[:limit]
    chosen = frames[:: -(-len(frames) // MOST)]
    provide(dataset, folder, chosen, reporter)
    return chosen
