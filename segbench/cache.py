"""The cache: files that segbench can recreate, checked for damage."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path
from xxhash import xxh3_128

from segbench.errors import SegbenchError
from segbench.files import draft_of, locked
from segbench.progress import Reporter


def cache_dir(*parts: str) -> Path:
    """A folder under ``$SEGBENCH_CACHE`` or the user's cache, created if missing."""
    base = os.environ.get("SEGBENCH_CACHE")
    folder = (Path(base) if base else _user_cache()).joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_be_made(folder, error) from error
    return folder


def private_dir(name: str) -> Path:
    """A cache folder for code: it must belong to the user, and nobody else may write to it."""
    folder = cache_dir() / name
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _cannot_be_made(folder, error) from error
    if not is_private(folder):
        raise SegbenchError(
            f"{folder} holds code, but others can write to it; remove it, or name a cache of your "
            "own with SEGBENCH_CACHE."
        )
    return folder


def _cannot_be_made(folder: Path, error: OSError) -> SegbenchError:
    return SegbenchError(
        f"The cache {folder} cannot be made ({error.strerror}); name another with SEGBENCH_CACHE."
    )


def is_private(folder: Path) -> bool:
    """Whether it is a folder (not a link) that only this user can write to."""
    about = folder.lstat()
    mine = os.name != "posix" or (about.st_uid == os.geteuid() and not about.st_mode & 0o022)
    return mine and stat.S_ISDIR(about.st_mode)


def cached(path: Path, make: Callable[[Path], object], reporter: Reporter | None = None) -> Path:
    """``path``, a file or folder in the cache, created by ``make(draft)``.

    It is created if missing, and recreated, with a line to ``reporter``, if it does not match the
    digest beside it. Other callers wait meanwhile.
    """
    if _is_whole(path):
        return path
    with locked(cache_dir("locks") / path.name):
        if _is_whole(path):
            return path
        if path.exists():
            (reporter or Reporter()).say(f"{path} is damaged; recreating it.")
        with draft_of(path) as draft:
            make(draft)
            with draft_of(_beside(path)) as note:
                note.write_text(digest(_files(draft)), encoding="ascii")
            with suppress(FileNotFoundError):
                path.rename(draft.with_name("damaged"))
    return path


def keep(path: Path, content: bytes) -> None:
    """Write ``content`` to a file in the cache, with its digest beside it, for ``kept``."""
    with draft_of(path) as draft:
        draft.write_bytes(content)
        with draft_of(_beside(path)) as note:
            note.write_text(digest([draft]), encoding="ascii")


def kept(path: Path) -> bytes:
    """What ``keep`` wrote; b"" if missing or damaged."""
    return path.read_bytes() if _is_whole(path) else b""


def digest(files: Iterable[Path]) -> str:
    """A digest of names and contents; it detects damage, not tampering."""
    whole = xxh3_128()
    for path in files:
        with path.open("rb") as file:
            whole.update(os.fsencode(path.name) + hashlib.file_digest(file, xxh3_128).digest())
    return whole.hexdigest()


def noted(note: Path, files: Iterable[Path]) -> bool:
    """Whether the file ``note`` holds the digest of ``files``."""
    try:
        return note.read_text(encoding="ascii") == digest(files)
    except (OSError, ValueError):
        return False


def _is_whole(path: Path) -> bool:
    try:
        return noted(_beside(path), _files(path))
    except OSError:
        return False


def _files(path: Path) -> list[Path]:
    """The file itself, or the files in the folder."""
    return sorted(path.iterdir()) if path.is_dir() else [path]


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.xxh3")


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
