"""Frames of a video file or of a folder of numbered pictures, upright and with times."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.stream import Disposition

from segbench.data.pictures import pictures_in, read_image
from segbench.errors import DataError, SegbenchError
from segbench.types import Image, Size

Matrix = tuple[int, ...]


@dataclass(frozen=True)
class Orientation:
    """One of the eight orientations of a picture, and the matrix that it came from."""

    matrix: Matrix | None = None
    transposed: bool = False
    mirrored: bool = False
    upside_down: bool = False

    def upright(self, stored: Image) -> Image:
        """A stored picture (H, W, 3), turned as displayed."""
        turned = stored.swapaxes(0, 1) if self.transposed else stored
        return np.ascontiguousarray(self._flipped(turned))

    def stored(self, upright: Image) -> Image:
        """The inverse."""
        flipped = self._flipped(upright)
        return np.ascontiguousarray(flipped.swapaxes(0, 1) if self.transposed else flipped)

    def _flipped(self, image: Image) -> Image:
        return image[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]


UPRIGHT = Orientation()


def orientation_of(matrix: Matrix | None) -> Orientation:
    """The nearest of the eight orientations; None is upright."""
    if matrix is None:
        return UPRIGHT
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    transposed = abs(b) > abs(a)
    across, down = (c, b) if transposed else (a, d)
    return Orientation(matrix, transposed, mirrored=across < 0, upside_down=down < 0)


SLACK = 0.3
"""Seconds by which an intact video may end before its file's duration."""
RUN_UP = 10.0
"""Seconds decoded before --start, since some formats do not seek to a complete frame."""


@dataclass(frozen=True)
class Still:
    """One frame as displayed, RGB (H, W, 3); times are in ticks and start at 0."""

    image: Image
    time: int
    duration: int


@dataclass(frozen=True)
class Footage:
    """The properties of an input, and its frames, which are read lazily.

    ``size`` is that of a stored frame, before ``orientation`` turns it. ``tick`` is in seconds,
    ``rate`` in frames per second, ``pixel_aspect`` a pixel's width over its height. ``expected`` is
    the approximate number of frames. If frames end early, ``troubles`` says why.
    """

    stills: Iterator[Still]
    size: Size
    rate: Fraction
    tick: Fraction
    expected: int
    troubles: list[str]
    orientation: Orientation = UPRIGHT
    pixel_aspect: Fraction | None = None


def open_footage(
    path: Path, fps: Fraction | None = None, start: float = 0.0, most: int | None = None
) -> Footage:
    """At most ``most`` frames from ``start`` seconds on; ``fps`` is for a folder of pictures.

    SegbenchError if the input is missing, has no video stream, or no frame from there on.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist; name a video or a folder of numbered frames.")
    if path.is_dir():
        if fps is None:
            raise SegbenchError(f"{path} is a folder of frames: give --fps, the frames per second.")
        return _open_folder(path, fps, start, most)
    if not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder; name a video file.")
    if fps is not None:
        raise SegbenchError(f"{path} is a file with its own rate: leave --fps out.")
    return _open_file(path, start, most)


def _open_folder(folder: Path, fps: Fraction, start: float, most: int | None) -> Footage:
    paths = pictures_in(folder)[round(start * fps) :][:most]
    if not paths:
        raise _nothing_from(start, folder)
    troubles: list[str] = []
    size = read_image(paths[0]).shape[:2]

    def stills() -> Iterator[Still]:
        for number, path in enumerate(paths):
            try:
                image = read_image(path)
            except DataError as error:
                troubles.append(f"The video ends before {path}: {error.message}")
                return
            if image.shape[:2] != size:
                troubles.append(f"The video ends before {path}, which has another size.")
                return
            yield Still(image, number, 1)

    return Footage(stills(), (size[0], size[1]), fps, 1 / fps, len(paths), troubles)


def _open_file(path: Path, start: float, most: int | None) -> Footage:
    try:
        # FFmpeg reads a relative a:b.mp4 as a protocol, and titles may have any encoding.
        container = av.open(path.absolute(), metadata_errors="replace")
    except av.FFmpegError as error:
        raise DataError(f"{path} cannot be read as a video ({error.strerror}).") from error
    stream = next(filter(_moves, container.streams.video), None)
    if stream is None:
        raise DataError(f"{path} has no video stream.")
    stream.thread_type = "AUTO"
    rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
    tick = Fraction(stream.time_base or 1 / rate)
    seconds = _seconds(container, stream, tick)
    troubles: list[str] = []
    frames = _frames(path, container, stream, start, seconds, troubles)
    first = next(frames, None)
    if first is None:
        raise DataError(troubles[0]) if troubles else _nothing_from(start, path)
    orientation = orientation_of(_matrix(first))
    expected = max(1, round((seconds - start) * rate))
    return Footage(
        islice(_stills(chain([first], frames), orientation, round(1 / rate / tick)), most),
        (first.height, first.width),
        rate,
        tick,
        min(expected, most or expected),
        troubles,
        orientation,
        Fraction(stream.sample_aspect_ratio or 1),
    )


def _frames(
    path: Path,
    container: "av.container.InputContainer",
    stream: av.VideoStream,
    start: float,
    seconds: float,
    troubles: list[str],
) -> Iterator[av.VideoFrame]:
    """Decoded frames from ``start`` on, up to where the file is damaged or ends."""
    origin = float((stream.start_time or 0) * (stream.time_base or 0))
    size, end = None, 0.0
    with container:
        try:
            if start > RUN_UP:
                container.seek(int((start - RUN_UP + origin) * av.time_base))
            for frame in container.decode(stream):
                end = end if frame.pts is None else frame.time - origin
                if end < start - 1e-6:
                    continue
                size = size or (frame.height, frame.width)
                if (frame.height, frame.width) != size:
                    troubles.append(f"{path} changes its size after {end:.1f} s: cut there.")
                    return
                yield frame
        except av.FFmpegError as error:
            troubles.append(f"{path} is damaged after {end:.1f} s ({error.strerror}): cut there.")
            return
    if seconds - end > SLACK + 1 / float(stream.average_rate or 25):
        troubles.append(f"{path} is cut off after {end:.1f} of {seconds:.1f} s.")


def _stills(
    frames: Iterator[av.VideoFrame], orientation: Orientation, typical: int
) -> Iterator[Still]:
    """A frame without a time, or one not after the last, follows at the usual rate."""
    first, last = None, -1
    for number in count():
        frame = next(frames, None)
        if frame is None:
            return
        time = number * typical if frame.pts is None else frame.pts
        first = time if first is None else first
        last = max(last + 1, time - first)
        pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
        yield Still(orientation.upright(pixels), last, frame.duration or typical)


def _moves(stream: av.VideoStream) -> bool:
    """Whether it is a video rather than the cover of a sound file."""
    return not stream.disposition & Disposition.attached_pic


def _seconds(
    container: "av.container.InputContainer", stream: av.VideoStream, tick: Fraction
) -> float:
    """The video's duration; Matroska has a tag for it, since the sound may be longer."""
    tagged = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", ""))
    if stream.duration:
        return float(stream.duration * tick)
    if tagged:
        hours, minutes, seconds = map(float, tagged.groups())
        return 3600 * hours + 60 * minutes + seconds
    return (container.duration or 0) / av.time_base


def _matrix(frame: av.VideoFrame) -> Matrix | None:
    side_data: Any = frame.side_data
    try:
        data = side_data[Type.DISPLAYMATRIX]
    except KeyError:
        return None
    return tuple(np.frombuffer(data, np.int32).tolist())


def _nothing_from(start: float, path: Path) -> SegbenchError:
    return DataError(f"{path} has no frame at or after --start {start:g} s.")
