"""The folder that a run writes to."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from segbench.errors import SegbenchError
from segbench.files import locked
from segbench.inference.checkpoint import BEST
from segbench.jobs.plan import RunOptions
from segbench.training.tracking import RUNS
from segbench.training.world import World
from segbench.types import Recipe

if TYPE_CHECKING:
    from segbench.networks.model import SegmentationModel

FILES = 8
"""Copies of the weights on disk: two checkpoints, a state with two moments, and its next draft."""
FILES_OF_AVERAGE = 2
"""The moving average in the state and in its draft."""


@contextmanager
def claimed(output: Path, options: RunOptions, world: World) -> Iterator[bool]:
    """Lock the output folder, which all ranks must see; yield whether to resume."""
    lock = output / ".lock"
    with ExitStack() as held:
        resume = False
        if world.first:
            busy = f"Another run writes to {output}; name another --output."
            held.enter_context(locked(lock, busy))
            resume = claim_output(output, options)
        resume = world.tell(resume)
        if not lock.exists():
            raise SegbenchError(
                f"{output} is not the folder that rank 0 writes to; name an --output on a disk "
                "that all hosts share."
            )
        yield resume


def claim_output(output: Path, options: RunOptions) -> bool:
    """Clear the locked output folder unless it is resumed; return whether to resume.

    SegbenchError if it contains a run that is neither resumed nor overwritten.
    """
    from segbench.training.state import STATE

    state, log = output / STATE, output / "train.log"
    if state.exists() and not (options.resume or options.force):
        raise SegbenchError(
            f"{output} contains a run, finished or not; continue it with --resume, overwrite it "
            "with --force, or name another --output."
        )
    resume = options.resume and state.exists()
    if not options.resume:
        state.unlink(missing_ok=True)
    if log.is_symlink() or not options.resume:
        log.unlink(missing_ok=True)
    if not resume and (output / BEST).is_file():  # else the folder is no run's
        shutil.rmtree(output / "overlays", ignore_errors=True)
        (output / RUNS).unlink(missing_ok=True)
    return resume


def space_needed(output: Path, model: "SegmentationModel", recipe: Recipe) -> int:
    """The bytes that a training still needs in its folder."""
    from segbench.training.state import LAST, STATE

    copies = FILES + (FILES_OF_AVERAGE if recipe.ema else 0)
    written = [path for name in (BEST, LAST, STATE) if (path := output / name).is_file()]
    there = sum(path.stat().st_size for path in written)
    return max(0, copies * 4 * model.count_parameters() - there)
