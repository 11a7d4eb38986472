"""Where segbench keeps what it can make again."""

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_dir(*parts: str) -> Path:
    """A folder under ``$SEGBENCH_CACHE``, else the user's cache; it is made when missing."""
    base = os.environ.get("SEGBENCH_CACHE")
    folder = (Path(base) if base else user_cache_path("segbench")).joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
