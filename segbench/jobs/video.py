"""Draw what a checkpoint sees into a video."""

from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from segbench.data.skipped import skipped_in, skipped_sentence
from segbench.errors import InterruptedRun, SegbenchError
from segbench.files import check_writable, draft_of
from segbench.inference.opened import EngineOptions, Opened, load_and_open
from segbench.plugins import Registry
from segbench.progress import Reporter

if TYPE_CHECKING:
    from segbench.video.read import Footage


@dataclass(frozen=True, kw_only=True)
class VideoOptions(EngineOptions):
    """What ``segbench video`` was asked for; ``fps`` is for a folder, ``start`` in seconds."""

    input: Path
    output: Path
    fps: Fraction | None = None
    start: float = 0.0
    max_frames: int | None = None
    opacity: float = 0.5


@dataclass(frozen=True)
class Made:
    """How many frames were written, how fast, by what, and how the work was shared out.

    ``seconds`` is what each stage worked, ``rate`` in frames a second from end to end.
    ``troubles`` say why frames of the input are missing at the end.
    """

    frames: int
    rate: float
    engine: str
    seconds: dict[str, float]
    interrupted: bool
    troubles: tuple[str, ...]


def make_video(options: VideoOptions, registry: Registry, reporter: Reporter) -> Made:
    """Write the video; what can be refused is refused before its first frame.

    An interrupt, or the end of what can be decoded, ends the video there, and it is kept.
    """
    if find_spec("av") is None:
        raise SegbenchError('Videos need PyAV: pip install "segbench[video]".')
    if options.output.suffix.lower() != ".mp4":
        raise SegbenchError(f"--output {options.output} is no .mp4 file; name one.")
    if options.output.is_dir():
        raise SegbenchError(f"--output {options.output} is a folder; name an .mp4 file.")

    import av

    from segbench.video.read import open_footage

    if skipped := skipped_in(options.input):
        reporter.say(skipped_sentence(skipped))
    footage = open_footage(options.input, options.fps, options.start, options.max_frames)
    if options.output.resolve() == options.input.resolve():
        raise SegbenchError(f"{options.output} is the input; name another --output.")
    check_writable(options.output.parent)
    opened = load_and_open(options, registry, reporter)
    try:
        with draft_of(options.output) as draft:
            return _write(draft, footage, opened, options, reporter)
    except av.FFmpegError as error:
        raise SegbenchError(f"{options.output} cannot be written ({error.strerror}).") from error


def _write(
    draft: Path,
    footage: "Footage",
    opened: Opened,
    options: VideoOptions,
    reporter: Reporter,
) -> Made:
    from segbench.video.stages import side_by_side, stages
    from segbench.video.write import VideoWriter

    runtime = options.runtime.name
    started, interrupted = perf_counter(), False
    seconds: dict[str, float] = {}
    with VideoWriter(draft, footage) as writer, reporter.steps(footage.expected, "video") as step:
        works = stages(opened, footage.orientation, writer, options.opacity, runtime)
        try:
            for _ in side_by_side(footage, works, seconds):
                step("")
        except KeyboardInterrupt:
            interrupted = True
        if not writer.frames:
            raise InterruptedRun("Interrupted before the first frame: there is no video.")
    return Made(
        frames=writer.frames,
        rate=writer.frames / (perf_counter() - started),
        engine=opened.session.engine,
        seconds=seconds,
        interrupted=interrupted,
        troubles=tuple(footage.troubles),
    )
