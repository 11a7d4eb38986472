"""``segbench video``: what a checkpoint sees in a video."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from segbench.cli import options
from segbench.cli.sources import engine_options, take_engine
from segbench.cli.terminal import echo
from segbench.errors import DataError, InterruptedRun
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.text import counted


class RateType(click.ParamType):
    """Frames a second: ``25``, ``29.97`` or ``30000/1001``."""

    name = "FPS"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        """Parse "30000/1001" to the fraction that it is."""
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
    type=options.FiniteRange(min=0),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Skip the video before this time.",
)
@click.option("--max-frames", type=options.COUNT, help="Stop after this many frames.")
@options.opacity
@click.pass_obj
def video(registry: Registry, **given: Any) -> None:
    """Draw the classes that a checkpoint sees over a video, or over a folder of numbered frames.

    The MP4 has the input's frames, times, size and rotation, and no sound. The measured frame rate,
    the runtime and the device are shown in a corner, the classes seen so far along the lower edge.
    A video of odd height or width keeps its size as H.264 4:4:4, which some players cannot show.

    Where the input is damaged or cut off the video ends, and the exit code is 1.

    Ctrl-C ends the video at that frame; it can be played. A second one drops it.
    """
    from segbench.jobs.video import VideoOptions, make_video

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
