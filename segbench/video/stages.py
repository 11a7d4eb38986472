"""What is done to each frame: the stages of the pipeline, and the rate that they draw."""

from collections import deque
from collections.abc import Callable
from time import perf_counter

from torch import Tensor

from segbench.data.draw import caption, overlay
from segbench.inference.evaluate import network_logits
from segbench.inference.opened import Opened
from segbench.inference.tensors import class_map_at
from segbench.types import Image
from segbench.video.legend import Legend
from segbench.video.pipeline import Work
from segbench.video.read import Orientation, Still
from segbench.video.write import VideoWriter

SOURCE = "decode"


class Rate:
    """Frames a second, over the last 30 of them."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=31)

    def count(self) -> float | None:
        """Count a frame, and give the rate; None for the first frame."""
        self._times.append(self._clock())
        spent = self._times[-1] - self._times[0]
        return (len(self._times) - 1) / spent if spent else None


def stages(
    opened: Opened,
    orientation: Orientation,
    writer: VideoWriter,
    opacity: float,
    runtime: str,
) -> dict[str, Work]:
    """The works that follow SOURCE, which gives a Still, up to a file that has it."""
    rate, legend = Rate(), Legend(opened.dataset)

    def network(still: Still) -> tuple[Still, Tensor]:
        return still, network_logits(opened.session, still.image, opened.size)

    def draw(seen: tuple[Still, Tensor]) -> tuple[Still, Image]:
        still, logits = seen
        classes = class_map_at(logits[0], still.image.shape[:2])
        drawn = overlay(still.image, classes, opened.dataset.palette, opacity)
        drawn = legend.over(drawn, classes)
        now = rate.count()
        measured = f"{now:.1f} frames/s" if now else "first frame"
        drawn = caption(drawn, f"{measured}, {runtime}\n{opened.session.engine}")
        return still, orientation.stored(drawn)

    def encode(finished: tuple[Still, Image]) -> None:
        still, stored = finished
        writer.write(stored, still.time, still.duration)

    return {"network": network, "draw": draw, "encode": encode}
