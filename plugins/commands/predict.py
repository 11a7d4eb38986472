"""``segbench predict``: draw the predicted classes of any pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import PIL.Image

from segbench.cli import options as shared
from segbench.cli.sources import engine_options, take_engine
from segbench.cli.terminal import echo
from segbench.data.draw import DRAWINGS, drawing
from segbench.data.pictures import find_pictures, read_image
from segbench.data.skipped import skipped_in, skipped_sentence
from segbench.errors import DataError, SegbenchError
from segbench.files import check_writable, draft_of
from segbench.inference.opened import EngineOptions, Opened, load_and_open
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.text import counted
from segbench.types import ClassMap, Image

if TYPE_CHECKING:
    from torch import Tensor

IDS = "ids"
FAST = 1
"""PNG's compression level: a quarter of the default's time, for 4% larger overlays."""


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@engine_options
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Output folder.")
@click.option(
    "--as",
    "kinds",
    type=click.Choice([*DRAWINGS, IDS]),
    multiple=True,
    default=("overlay",),
    show_default=True,
    help="What to write (repeatable).",
)
@shared.opacity
@click.pass_obj
def predict(registry: Registry, **given: Any) -> None:
    """Draw the predicted classes of pictures.

    An INPUT is a picture, a folder of them, or a quoted glob such as 'drive/**/*.jpg'. Each becomes
    a PNG of the same name in --output, with several --as in a subfolder for each.

    overlay and side-by-side have a legend below the picture. color (the palette's colours) and ids
    (input of segbench score: official label ids, or the probability of the second of two classes)
    have exactly the picture's size.

    Pictures that cannot be read are skipped, and the exit code is then 1.
    """
    chosen = PredictOptions(**take_engine(given, registry), **given)
    count = draw_inputs(chosen, registry, Reporter())
    echo(f"{counted(count, 'picture')} in {chosen.output}")


@dataclass(frozen=True, kw_only=True)
class PredictOptions(EngineOptions):
    """The options of ``segbench predict``; ``kinds`` are kinds of drawings, or IDS."""

    inputs: tuple[str, ...]
    output: Path
    kinds: tuple[str, ...] = ("overlay",)
    opacity: float = 0.5


def draw_inputs(options: PredictOptions, registry: Registry, reporter: Reporter) -> int:
    """Write a PNG of each kind for each picture; return the number of pictures.

    Invalid options are rejected before the first picture. Unreadable pictures are skipped, and
    reported by a SegbenchError after the others are written.
    """
    pictures = find_pictures(options.inputs)
    if skipped := [path for given in options.inputs for path in skipped_in(Path(given))]:
        reporter.say(skipped_sentence(skipped))
    folders = _folders(options)
    _check_names(pictures, folders.values())
    for folder in folders.values():
        check_writable(folder)
    opened = load_and_open(options, registry, reporter)
    unreadable = draw_pictures(opened, pictures, folders, options.opacity, reporter)
    if unreadable:
        raise SegbenchError(
            f"{len(unreadable)} of {len(pictures)} pictures could not be read: "
            f"{', '.join(map(str, unreadable))}."
        )
    return len(pictures)


def draw_pictures(
    opened: Opened,
    pictures: Sequence[Path],
    folders: Mapping[str, Path],
    opacity: float,
    reporter: Reporter,
) -> list[Path]:
    """Write each kind's PNG of each picture into its folder; return the unreadable ones."""
    from segbench.inference.evaluate import official_prediction, predict_all

    unreadable: list[Path] = []

    def read(path: Path) -> Image | None:
        try:
            return read_image(path)
        except DataError as error:
            reporter.say(error.message)
            unreadable.append(path)
            return None

    def draw(path: Path, image: Image, logits: "Tensor", classes: ClassMap) -> None:
        for kind, folder in folders.items():
            if kind == IDS:
                drawn = official_prediction(opened.dataset, logits, classes)
            else:
                drawn = drawing(kind, image, classes, opened.dataset, opacity)
            with draft_of(folder / f"{path.stem}.png") as draft:
                PIL.Image.fromarray(drawn).save(draft, compress_level=FAST)

    predict_all(opened.session, opened.size, pictures, read, draw, reporter, "predict")
    return sorted(unreadable, key=pictures.index)


def _folders(options: PredictOptions) -> dict[str, Path]:
    """Each kind's folder: --output itself if there is only one."""
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
    beside = {source.parent for source in sources}
    for folder in folders:
        for stem in owners:
            target = folder / f"{stem}.png"
            if target.resolve() in sources:
                raise SegbenchError(f"{target} is an input; name another --output folder.")
            if target.exists() and folder.resolve() in beside:
                raise SegbenchError(
                    f"{target} exists beside the inputs, such as labels do; name another --output "
                    "folder."
                )
