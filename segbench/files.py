"""Files that are whole or not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from segbench.errors import SegbenchError


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A path to write to; when the block ends well the file there is moved to ``path``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            draft = Path(folder) / path.name
            yield draft
            draft.replace(path)
    except OSError as error:
        raise SegbenchError(f"{path} cannot be written ({error.strerror}).") from error


def check_writable(folder: Path, option: str = "--output") -> None:
    """Make ``folder`` and try to write into it; SegbenchError, before the work, if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SegbenchError(
            f"{folder} cannot be written to ({error.strerror}); name another {option}."
        ) from error
