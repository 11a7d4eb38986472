"""Which networks of a table share a rank: those whose scores differ by no more than noise."""

from pathlib import Path
from typing import TYPE_CHECKING

from segbench.analysis.compare import miou_difference
from segbench.errors import SegbenchError
from segbench.records.arrays import ScoredFrames, scored_frames
from segbench.records.record import read_record

if TYPE_CHECKING:
    from pandas import DataFrame

COMPARED = 100
"""So many networks at the top of a table are compared by their frames, which takes time."""


def shared_ranks(networks: "DataFrame") -> list[int]:
    """The ranks of ``networks``, best score first: 1, 1, 3.

    The best one of a rank shares it with those below whose difference to it is within noise: the
    95% interval of the paired difference of mean IoU over the frames of both holds zero. Where
    the arrays beside a record are missing, or the score is not mean IoU, only equal scores are
    equal.
    """
    ranks: list[int] = []
    best: ScoredFrames | None = None
    previous: float | None = None
    rows = zip(networks["score"], networks["score_name"], networks["path"], strict=True)
    for place, (score, name, path) in enumerate(rows):
        frames = _frames(path) if place < COMPARED and name == "miou" else None
        if ranks and (score == previous or _within_noise(best, frames)):
            ranks.append(ranks[-1])
        else:
            ranks.append(place + 1)
            best = frames
        previous = score
    return ranks


def _frames(path: str | None) -> ScoredFrames | None:
    if path is None or not Path(path).with_suffix(".npz").exists():
        return None
    try:
        return scored_frames(read_record(Path(path)))
    except SegbenchError:
        return None


def _within_noise(a: ScoredFrames | None, b: ScoredFrames | None) -> bool:
    if a is None or b is None:
        return False
    try:
        return bool(miou_difference(a, b).within_noise)
    except SegbenchError:
        return False
