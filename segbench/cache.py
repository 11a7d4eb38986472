"""Where segbench keeps what it can make again."""

import os
from pathlib import Path

from platformdirs import user_cache_path

from segbench.errors import SegbenchError


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
