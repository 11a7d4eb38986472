"""``segbench video``: draw the predicted classes over a video."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from segbench.cli import options as shared
from segbench.cli.sources import engine_options, take_engine
from segbench.cli.terminal import echo
from segbench.data.skipped import skipped_in, skipped_sentence
from segbench.errors import DataError, InterruptedRun, SegbenchError
from segbench.files import check_writable, draft_of
from segbench.inference.opened import EngineOptions, Opened, load_and_open
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.text import counted

if TYPE_CHECKING:
    from .read import Footage


class RateType(click.ParamType):
    """Frames a second: ``25``, ``29.97`` or ``30000/1001``."""

    name = "FPS"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        """Parse "30000/1001" to a fraction."""
        try:
            rate = Fraction(str(value)).limit_denominator(1001)
        except (ValueError, ZeroDivisionError):
            rate = Fraction(0)
        if not 0 < rate <= 1000:
            self.fail(f"{value!r} is not a frame rate; write 25, 29.97 or 30000/1001.", param, ctx)
        return rate


@click.command()
@click.argument("input", type=click.Path(path_type=Path))
@engine_options
@click.option("--output", type=click.Path(path_type=Path), required=True, metavar="OUT.mp4")
@click.option("--fps", type=RateType(), help="Frame rate of a folder of frames.")
@click.option(
    "--start",
    type=shared.FiniteRange(0, 1e9),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Skip the video before this time.",
)
@click.option("--max-frames", type=shared.COUNT, help="Stop after this many frames.")
@shared.opacity
@click.pass_obj
def video(registry: Registry, **given: Any) -> None:
    """Draw the predicted classes over a video or a folder of numbered frames.

    The MP4 has the input's frames, times, size and rotation, without sound. The measured frame
    rate, the runtime and the device are shown in a corner, the classes seen so far at the bottom. A
    video of odd height or width keeps its size as H.264 4:4:4, which some players cannot show.

    If the input is damaged or cut off, the video ends there, and the exit code is 1.

    Ctrl-C ends the video at that frame, playable. A second one discards it.
    """
    chosen = VideoOptions(**take_engine(given, registry), **given)
    made = make_video(chosen, registry, Reporter())
    frames = counted(made.frames, "frame")
    work = sum(made.seconds.values())
    shares = ", ".join(f"{name} {spent / work:.0%}" for name, spent in made.seconds.items())
    echo(
        f"{chosen.output}: {frames}, {made.rate:.1f} frames/s with "
        f"{chosen.runtime.name}, {made.engine}"
    )
    echo(f"Work: {shares}")
    if made.interrupted:
        raise InterruptedRun(f"Interrupted: {chosen.output} ends after {frames}.")
    if made.troubles:
        raise DataError(" ".join(made.troubles))


@dataclass(frozen=True, kw_only=True)
class VideoOptions(EngineOptions):
    """The options of ``segbench video``; ``fps`` is for a folder, ``start`` in seconds."""

    input: Path
    output: Path
    fps: Fraction | None = None
    start: float = 0.0
    max_frames: int | None = None
    opacity: float = 0.5


@dataclass(frozen=True)
class Made:
    """The frames written, their rate, the engine, and the time of each stage.

    ``seconds`` is the time of each stage, ``rate`` the end-to-end frames per second.
    ``troubles`` say why frames of the input are missing at the end.
    """

    frames: int
    rate: float
    engine: str
    seconds: dict[str, float]
    interrupted: bool
    troubles: tuple[str, ...]


def make_video(options: VideoOptions, registry: Registry, reporter: Reporter) -> Made:
    """Write the video; invalid options are rejected before its first frame.

    An interrupt or a decoding error ends the video there, and it is kept.
    """
    if options.output.suffix.lower() != ".mp4":
        raise SegbenchError(f"--output {options.output} is not an .mp4 file; name one.")
    if options.output.is_dir():
        raise SegbenchError(f"--output {options.output} is a folder; name an .mp4 file.")

    import av

    from .read import open_footage

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
    from .stages import side_by_side, stages
    from .write import VideoWriter

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
            raise InterruptedRun("Interrupted before the first frame: no video was written.")
    return Made(
        frames=writer.frames,
        rate=writer.frames / (perf_counter() - started),
        engine=opened.session.engine,
        seconds=seconds,
        interrupted=interrupted,
        troubles=tuple(footage.troubles),
    )
