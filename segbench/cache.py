"""Where segbench keeps what it can make again."""

import os
from pathlib import Path

from platformdirs import user_cache_path

from segbench.errors import SegbenchError


def cache_dir(*parts: str) -> Path:
    """A folder under ``$SEGBENCH_CACHE``, else the user's cache; it is made when missing."""
    base = os.environ.get("SEGBENCH_CACHE")
    folder = (Path(base) if base else user_cache_path("segbench")).joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegbenchError(
            f"The cache {folder} cannot be made ({error.strerror}); name another with "
            "SEGBENCH_CACHE."
        ) from error
    return folder
