"""Transfer of files between the caller and a host, in pieces; files arrive complete."""

from collections.abc import Mapping
from pathlib import Path

from segbench.files import draft_of
from segbench.inference.checkpoint import BEST

from .host import OUTPUT, PIECE
from .reach import Reached


async def send(there: Reached, path: Path, name: str) -> None:
    """Send a file to the folder of the host's job."""
    with path.open("rb") as file:
        more = False
        while piece := file.read(PIECE):
            await there.process.call("put", name, piece, more)
            more = True


async def fetch(there: Reached, name: str, path: Path) -> None:
    """Fetch a file of the host's job; at ``path`` it is complete or missing."""
    await there.process.call("open", [name])
    await _read(there, name, path)


async def _read(there: Reached, name: str, path: Path) -> None:
    with draft_of(path) as draft, draft.open("wb") as file:
        while piece := await there.process.call("read", name):
            file.write(piece)


async def fetch_state(
    there: Reached, output: Path, seen: Mapping[str, int], written: Mapping[str, int]
) -> None:
    """Fetch what a resumed training needs to the caller's folder; the state last.

    The host opens the state first and writes it last, so the checkpoint may be newer than the
    state, as after a kill, but not older.
    """
    from segbench.training.state import STATE

    if STATE not in written:
        return
    names = [STATE, *([BEST] if written.get(BEST) != seen.get(BEST) else []), "train.log"]
    await there.process.call("open", [f"{OUTPUT}/{name}" for name in names])
    for name in reversed(names):
        await _read(there, f"{OUTPUT}/{name}", output / name)
