"""An MP4 file of H.264, frame by frame."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.codec.codec import UnknownCodecError
from av.video.reformatter import Colorspace

from segbench.errors import SegbenchError
from segbench.types import Image

from .read import Footage

OPTIONS = {"preset": "veryfast", "crf": "20"}
BT601 = 6


class VideoWriter:
    """Writes frames with the size, times and display matrix of ``footage``; playable once closed.

    H.264 with half the colour resolution (4:2:0), which every player supports, needs even sizes.
    Odd sizes use full colour resolution (4:4:4): VLC, mpv, FFmpeg and Chromium play that.
    """

    def __init__(self, path: Path, footage: Footage) -> None:
        self.frames = 0
        self._tick = footage.tick
        self._container = av.open(path.absolute(), "w", format="mp4")
        try:
            stream = self._container.add_stream("libx264", rate=footage.rate, options=OPTIONS)
        except UnknownCodecError as error:
            raise SegbenchError(
                "This PyAV was built without libx264; install PyAV's own wheel."
            ) from error
        stream.height, stream.width = footage.size
        odd = any(side % 2 for side in footage.size)
        self._format = stream.pix_fmt = "yuv444p" if odd else "yuv420p"
        stream.codec_context.time_base = footage.tick
        stream.codec_context.colorspace = BT601
        if footage.pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = footage.pixel_aspect
        if footage.orientation.matrix is not None:
            stream.set_display_matrix(footage.orientation.matrix)
        self._stream = stream

    def write(self, stored: Image, time: int, duration: int) -> None:
        """Write one picture (H, W, 3), turned as it is stored; times are in ticks and increase."""
        frame = av.VideoFrame.from_ndarray(stored, format="rgb24")
        frame = frame.reformat(format=self._format, dst_colorspace=Colorspace.ITU601)
        frame.pts, frame.duration, frame.time_base = time, duration, Fraction(self._tick)
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._container:
            if kind is None:
                self._container.mux(self._stream.encode(None))
