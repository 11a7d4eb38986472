"""Draw what a checkpoint sees in a user's pictures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from segbench.data.draw import drawing
from segbench.data.pictures import find_pictures, read_photo
from segbench.data.skipped import skipped_in, skipped_sentence
from segbench.errors import DataError, SegbenchError
from segbench.files import check_writable, draft_of
from segbench.inference.opened import EngineOptions, load_and_open
from segbench.plugins import Registry
from segbench.progress import Reporter

IDS = "ids"
FAST = 1
"""PNG's compression level: a quarter of the default's time, for overlays 4% larger."""


@dataclass(frozen=True, kw_only=True)
class PredictOptions(EngineOptions):
    """What ``segbench predict`` was asked for; ``kinds`` are kinds of drawings, or IDS."""

    inputs: tuple[str, ...]
    output: Path
    kinds: tuple[str, ...] = ("overlay",)
    opacity: float = 0.5


def predict(options: PredictOptions, registry: Registry, reporter: Reporter) -> int:
    """Write a PNG of each kind for each picture, and give the number of pictures.

    What can be refused is refused before the first picture. One that cannot be read is skipped;
    then the SegbenchError comes after the others are written.
    """
    pictures = find_pictures(options.inputs)
    if skipped := [path for given in options.inputs for path in skipped_in(Path(given))]:
        reporter.say(skipped_sentence(skipped))
    folders = _folders(options)
    _check_names(pictures, folders.values())
    for folder in folders.values():
        check_writable(folder)
    opened = load_and_open(options, registry, reporter)

    from segbench.inference.evaluate import network_logits, official_prediction
    from segbench.inference.tensors import class_map_at

    dataset, unreadable = opened.dataset, []
    for path in reporter.track(pictures, len(pictures), "predict"):
        try:
            image = read_photo(path)
        except DataError as error:
            reporter.say(error.message)
            unreadable.append(path)
            continue
        logits = network_logits(opened.session, image, opened.size)[0]
        classes = class_map_at(logits, image.shape[:2])
        for kind, folder in folders.items():
            if kind == IDS:
                drawn = official_prediction(dataset, logits, classes)
            else:
                drawn = drawing(kind, image, classes, dataset, options.opacity)
            with draft_of(folder / f"{path.stem}.png") as draft:
                PIL.Image.fromarray(drawn).save(draft, compress_level=FAST)
    if unreadable:
        raise SegbenchError(
            f"{len(unreadable)} of {len(pictures)} pictures could not be read: "
            f"{', '.join(map(str, unreadable))}."
        )
    return len(pictures)


def _folders(options: PredictOptions) -> dict[str, Path]:
    """Where each kind goes: into --output itself where there is only one."""
    kinds = dict.fromkeys(options.kinds)
    return {kind: options.output / kind if len(kinds) > 1 else options.output for kind in kinds}


def _check_names(pictures: Sequence[Path], folders: Iterable[Path]) -> None:
    owners: dict[str, Path] = {}
    for path in pictures:
        other = owners.setdefault(path.stem, path)
        if other is not path:
            raise SegbenchError(
                f"{other} and {path} would both become {path.stem}.png; rename one, or predict "
                "them into different --output folders."
            )
    sources = {path.resolve() for path in pictures}
    for folder in folders:
        for stem in owners:
            target = folder / f"{stem}.png"
            if target.resolve() in sources:
                raise SegbenchError(f"{target} is an input; name another --output folder.")
