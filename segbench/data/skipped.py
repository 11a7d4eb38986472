"""Files among pictures that are skipped, to be listed for the user."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from segbench.text import counted, printable
from segbench.types import Frame

UNREAD = (".avif", ".heic", ".heif", ".j2c", ".j2k", ".jp2", ".jpf", ".jpx", ".jxl")
"""Picture formats that are not read from folders."""

NAMED = 3


def skipped_in(folder: Path) -> list[Path]:
    """Pictures of ``UNREAD`` formats in ``folder``, and the ``._`` files that macOS writes."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in UNREAD or (path.name.startswith("._") and path.suffix)
    )


def skipped_beside(frames: Iterable[Frame]) -> list[Path]:
    """The files skipped in the folders of the frames' files."""
    files = {path for frame in frames for path in (frame.image, frame.label, frame.instances)}
    folders = {path.parent for path in files if path is not None}
    return [path for folder in sorted(folders) for path in skipped_in(folder)]


def skipped_sentence(paths: Sequence[Path]) -> str:
    """The message about skipped files; empty if there are none."""
    if not paths:
        return ""
    names = ", ".join(printable(path.name) for path in paths[:NAMED])
    rest = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    remedies = []
    if any(path.name.startswith("._") for path in paths):
        remedies.append("._ files are macOS metadata, not pictures")
    if any(not path.name.startswith("._") for path in paths):
        remedies.append("convert AVIF, HEIC and JPEG 2000 to PNG")
    return f"Skipped {counted(len(paths), 'file')}: {names}{rest} ({'; '.join(remedies)})."
