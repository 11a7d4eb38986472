"""Small videos, written with PyAV alone, and what another reader finds in one."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.sidedata.sidedata import Type

QUARTER_TURN = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
FAST_START = {"movflags": "faststart"}


def pictures(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Each darker at the left, and lighter from one to the next."""
    height, width = size
    slope = np.linspace(0, 120, width).astype(np.uint8)
    base = np.broadcast_to(slope[None, :, None], (height, width, 3))
    return [base + np.uint8(120 * number // count) for number in range(count)]


def write_video(
    path: Path,
    count: int = 12,
    size: tuple[int, int] = (32, 64),
    rate: Fraction = Fraction(25),
    times: Sequence[int] | None = None,
    matrix: tuple[int, ...] | None = None,
    options: dict[str, str] | None = None,
    sound: int = 0,
) -> Path:
    """H.264 of the pictures, and ``sound`` seconds of silence; ``times`` are in ticks of 1/rate."""
    with av.open(path, "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "10", "g": "5"})
        stream.height, stream.width = size
        stream.pix_fmt = "yuv444p" if any(side % 2 for side in size) else "yuv420p"
        silence = container.add_stream("aac", rate=44100) if sound else None
        if matrix:
            stream.set_display_matrix(matrix)
        for number, picture in enumerate(pictures(count, size)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = (times[number] if times else number), 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if silence:
            quiet = np.zeros((1, 1024), np.float32)
            for number in range(sound * 44100 // 1024):
                part = av.AudioFrame.from_ndarray(quiet, "fltp", "mono")
                part.sample_rate, part.pts = 44100, 1024 * number
                container.mux(silence.encode(part))
            container.mux(silence.encode(None))
    return path


@dataclass(frozen=True)
class Seen:
    size: tuple[int, int]
    rate: Fraction
    times: list[float]
    matrix: tuple[int, ...] | None
    images: list[np.ndarray]


def read_video(path: Path) -> Seen:
    with av.open(path) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        try:
            data = frames[0].side_data[Type.DISPLAYMATRIX]
            matrix = tuple(np.frombuffer(data, np.int32).tolist())
        except KeyError:
            matrix = None
        return Seen(
            (stream.height, stream.width),
            Fraction(stream.average_rate),
            [float(frame.time) for frame in frames],
            matrix,
            [frame.to_ndarray(format="rgb24") for frame in frames],
        )
