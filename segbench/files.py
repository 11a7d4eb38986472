"""Files that are whole or not there, and locks on what one process at a time may write."""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import click
from filelock import FileLock, Timeout

from segbench.errors import SegbenchError

DAY = 24 * 60 * 60.0
PROBE = 2**20
LONGEST = 50
"""Of a name, in a draft's: 50 characters of four bytes each, and what is added, fit a folder."""


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A path to write to; when the block ends well the file or folder there is moved to ``path``.

    It lies in a new folder beside ``path`` that nobody else can write to, so a link that is
    planted there is replaced and never followed. SegbenchError where it cannot be written.
    """
    try:
        _make_folder(path.parent)
        sweep(path, DAY)
        with TemporaryDirectory(".draft", _prefix(path), path.parent) as folder:
            draft = Path(folder) / path.name
            yield draft
            draft.replace(path)
    except OSError as error:
        raise SegbenchError(f"{path} cannot be written ({error.strerror}).") from error


def sweep(path: Path, older_than: float = 0) -> None:
    """Remove drafts of ``path`` that killed processes left, ``older_than`` in seconds.

    Only who holds a lock on ``path`` knows that none is in use, and takes all.
    """
    # Not by globbing, which takes twice as long in a folder of many records.
    prefix = _prefix(path)
    with suppress(FileNotFoundError), os.scandir(path.parent) as entries:
        for left in entries:
            ours = left.name.startswith(prefix) and left.name.endswith(".draft")
            if ours and time.time() - left.stat(follow_symlinks=False).st_mtime >= older_than:
                shutil.rmtree(left, ignore_errors=True)


def write_or_print(path: Path, text: str) -> None:
    """Write a result; where that fails it goes to standard output before the SegbenchError."""
    try:
        with draft_of(path) as draft:
            draft.write_text(text, encoding="utf-8", newline="\n")
    except SegbenchError:
        click.echo(text, nl=False)
        raise


@contextmanager
def locked(path: Path, busy: str | None = None) -> Iterator[None]:
    """Hold the lock file ``path``, which is made where it is missing and stays.

    While another process or thread holds it this one waits; with ``busy`` it raises a
    SegbenchError that says so. The lock of a process that dies is free.
    """
    try:
        _make_folder(path.parent)
        lock = FileLock(path, timeout=-1 if busy is None else 0)
        lock.acquire()
    except Timeout:
        raise SegbenchError(busy or f"{path} is locked.") from None
    except (OSError, NotImplementedError) as error:
        raise SegbenchError(f"{path} cannot be locked ({error}).") from error
    try:
        yield
    finally:
        lock.release()


def check_writable(folder: Path, option: str = "--output", needed: int = PROBE) -> None:
    """Make ``folder`` and try to write into it; SegbenchError, before the work, if that fails.

    ``needed`` is the number of bytes that will be written.
    """
    try:
        _make_folder(folder)
        with TemporaryFile(dir=folder) as file:
            file.write(bytes(PROBE))
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise SegbenchError(
            f"{folder} cannot be written to ({error.strerror}); name another {option}."
        ) from error
    if needed > free:
        raise SegbenchError(
            f"{folder} needs {needed / 1e6:,.0f} MB of space and has {free / 1e6:,.0f}; make room, "
            f"or name another {option}."
        )


def _prefix(path: Path) -> str:
    return f".{path.name[:LONGEST]}."


def _make_folder(folder: Path) -> None:
    """Make it with its parents; where a file is in the way the OSError names it."""
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{place} is no folder")
    folder.mkdir(parents=True, exist_ok=True)
