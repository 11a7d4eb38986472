"""Files that are whole or not there, and the cache of what can be made again."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from platformdirs import user_cache_path

from segbench.errors import SegbenchError


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A path to write to; when the block ends well the file there is moved to ``path``.

    SegbenchError where that cannot be.
    """
    try:
        _make_folder(path.parent)
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            draft = Path(folder) / path.name
            yield draft
            draft.replace(path)
    except OSError as error:
        raise SegbenchError(f"{path} cannot be written ({error.strerror}).") from error


def check_writable(folder: Path, option: str = "--output") -> None:
    """Make ``folder`` and try to write into it; SegbenchError, before the work, if that fails."""
    try:
        _make_folder(folder)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SegbenchError(
            f"{folder} cannot be written to ({error.strerror}); name another {option}."
        ) from error


def _make_folder(folder: Path) -> None:
    """Make it with its parents; where a file is in the way the OSError names it."""
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{place} is no folder")
    folder.mkdir(parents=True, exist_ok=True)


def cache_dir(*parts: str) -> Path:
    """A folder under ``$SEGBENCH_CACHE``, else the user's cache; it is made when missing."""
    base = os.environ.get("SEGBENCH_CACHE")
    folder = (Path(base) if base else _user_cache()).joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegbenchError(
            f"The cache {folder} cannot be made ({error.strerror}); name another with "
            "SEGBENCH_CACHE."
        ) from error
    return folder


def _user_cache() -> Path:
    try:
        folder = user_cache_path("segbench")
    except RuntimeError:
        folder = Path("~")
    if not folder.is_absolute():  # neither HOME nor a passwd entry
        raise SegbenchError(
            "This user has no home folder for the cache; name a folder with SEGBENCH_CACHE."
        )
    return folder
