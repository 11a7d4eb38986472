"""Draw missing frames of a folder of streets, on every core.

A frame takes about 50 ms of plain Python, so chunks of frames are drawn by separate processes:
``python -m segbench_plugins.datasets.streets.draw_missing`` with PARENT FOLDER SEED HEIGHT WIDTH
NUMBER... It ends when the process PARENT ends.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from segbench.cache import digest, noted
from segbench.device.cpu import usable_cores
from segbench.errors import DataError
from segbench.files import scratch_folder
from segbench.progress import Reporter
from segbench.text import counted
from segbench.types import Size
from segbench.workers.processes import HANGS, LOOK, kill_if_it_hangs

from .places import cityscapes_files
from .scene import draw_scene
from .write import write_cityscapes

CHUNK = 40
"""Two seconds of drawing: a process takes a third of a second to start."""


def draw_missing(
    folder: Path, numbers: Sequence[int], size: Size, seed: int, reporter: Reporter
) -> None:
    """Draw the frames ``numbers`` that are missing or damaged in ``folder``, in Cityscapes' layout.

    Each has a file with its digest. Other processes may draw the same frames meanwhile: they write
    the same bytes. DataError if the folder cannot be written.
    """
    missing = [
        number
        for number in numbers
        if not noted(note_of(folder, number), cityscapes_files(folder, seed, number))
    ]
    if damaged := sum(note_of(folder, number).exists() for number in missing):
        reporter.say(f"{counted(damaged, 'frame')} in {folder} damaged: redrawing.")
    chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]

    def draw(chunk: Sequence[int]) -> None:
        arguments = map(str, (os.getpid(), folder, seed, *size, *chunk))
        command = [sys.executable, "-m", __name__, *arguments]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as worker:
            looks = kill_if_it_hangs(worker.pid)
            while True:
                with suppress(subprocess.TimeoutExpired):
                    _, said = worker.communicate(timeout=LOOK)
                    break
                if next(looks):
                    raise subprocess.CalledProcessError(-9, command, stderr=HANGS.encode())
        if worker.returncode:
            raise subprocess.CalledProcessError(worker.returncode, command, stderr=said)

    try:
        if len(chunks) <= 1:
            draw_frames(folder, reporter.track(missing, len(missing), "draw streets"), size, seed)
        else:
            with ThreadPoolExecutor(usable_cores()) as pool:
                list(reporter.track(pool.map(draw, chunks), len(chunks), "draw streets"))
    except OSError as error:
        raise DataError(
            f"Streets cannot be drawn into {folder} ({error}); name another cache with "
            "SEGBENCH_CACHE."
        ) from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise DataError(
            f"Streets cannot be drawn into {folder} ({said[-1] if said else error}); name another "
            "cache with SEGBENCH_CACHE."
        ) from error


def draw_frames(folder: Path, numbers: Iterable[int], size: Size, seed: int) -> None:
    """Draw the frames in sequence; each file is written atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    with scratch_folder(folder.parent, folder.name) as draft:
        for number in numbers:
            write_cityscapes(draft, draw_scene(seed, number, size), seed, number)
            note_of(draft, number).write_text(digest(cityscapes_files(draft, seed, number)))
            for source, target in zip(
                (*cityscapes_files(draft, seed, number), note_of(draft, number)),
                (*cityscapes_files(folder, seed, number), note_of(folder, number)),
                strict=True,
            ):
                target.parent.mkdir(parents=True, exist_ok=True)
                source.replace(target)


def note_of(folder: Path, number: int) -> Path:
    """The path of the digest of a frame's files."""
    return folder / f"{number:06d}.xxh3"


if __name__ == "__main__":
    parent, place, seed, height, width, *wanted = sys.argv[1:]
    living = takewhile(lambda _: os.name != "posix" or os.getppid() == int(parent), wanted)
    draw_frames(Path(place), map(int, living), (int(height), int(width)), int(seed))
