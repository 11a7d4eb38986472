"""Atomic writes, and locks for files that one process at a time may write."""

import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile, gettempdir

import click
from filelock import FileLock, Timeout

from segbench.errors import SegbenchError

SECOND = 1.0
"""The process that creates a scratch folder has locked it by then."""
PROBE = 2**20
HELD, ENDING = ".held", ".segbench-draft"
LONGEST = 50
"""Characters of a name kept in a draft's: at four bytes each they still fit the limit."""


def read_text(path: Path) -> str:
    """The UTF-8 text of a regular file; OSError for others, which might block."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file")
    return path.read_text(encoding="utf-8")


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A path to write to; the file or folder there is moved to ``path`` if the block succeeds.

    It is in a new folder beside ``path`` that nobody else can write to, so links at ``path`` are
    replaced, never followed. Raises SegbenchError if it cannot be written.
    """
    try:
        _make_folder(path.parent)
        with scratch_folder(path.parent, path.name) as folder:
            draft = folder / path.name
            yield draft
            draft.replace(path)
    except OSError as error:
        if error.errno is None:  # not a system call's, such as a library that cannot be loaded
            raise
        shown = path.parent.parent / path.name if path.parent.suffix == ENDING else path
        raise SegbenchError(f"{shown} cannot be written ({error.strerror}).") from error


@contextmanager
def scratch_folder(parent: Path | None = None, name: str = "") -> Iterator[Path]:
    """A folder that only this user can enter, removed when the block ends.

    It is in ``parent``, else in the system's temporary folder; ``name`` is part of its name.
    Folders that killed processes left in ``parent`` are removed.
    """
    parent = parent or Path(gettempdir())
    sweep(parent)
    with TemporaryDirectory(ENDING, f".{name[:LONGEST]}.", parent) as made:
        folder = Path(made)
        with FileLock(folder / HELD):
            yield folder


def sweep(parent: Path) -> None:
    """Remove this user's scratch folders in ``parent`` whose process has ended."""
    # Globbing takes twice as long in a folder with many records.
    with suppress(FileNotFoundError), os.scandir(parent) as entries:
        for entry in entries:
            ours = entry.name.startswith(".") and entry.name.endswith(ENDING)
            if ours and _is_left(Path(entry)):
                shutil.rmtree(entry, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Whether its lock is free."""
    with suppress(OSError, NotImplementedError, Timeout):
        about = folder.lstat()
        mine = os.name != "posix" or about.st_uid == os.geteuid()
        settled = time.time() - about.st_mtime > SECOND
        if stat.S_ISDIR(about.st_mode) and mine and settled and (folder / HELD).exists():
            with FileLock(folder / HELD, timeout=0):
                return True
    return False


def write_or_print(path: Path, text: str) -> None:
    """Write a result; on failure print it to standard output and raise SegbenchError."""
    try:
        with draft_of(path) as draft:
            draft.write_text(text, encoding="utf-8", newline="\n")
    except SegbenchError:
        click.echo(text, nl=False)
        raise


@contextmanager
def locked(path: Path, busy: str | None = None) -> Iterator[None]:
    """Hold the lock file ``path``, which is created if missing and kept.

    Waits while another process or thread holds it, or raises SegbenchError with the message
    ``busy`` if given. A dead process holds no lock.
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
    """Create ``folder`` and check that it is writable; raises SegbenchError, before any work.

    ``needed`` is the disk space required, in bytes.
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
            f"{folder} needs {needed / 1e6:,.0f} MB, but {free / 1e6:,.0f} MB are free; make room, "
            f"or name another {option}."
        )


def _make_folder(folder: Path) -> None:
    """Create it with its parents; if a file is in the way, the OSError names it."""
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{place} is not a folder")
    folder.mkdir(parents=True, exist_ok=True)
