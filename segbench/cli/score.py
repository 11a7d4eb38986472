"""``segbench score``: the official score of any system's predictions."""

import json
import os
from pathlib import Path

import click

from segbench.cli import options
from segbench.cli.print_scores import print_score
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.scoring.score import coverage, frames_to_score, score_predictions, with_options
from segbench.text import counted

SPACES = {"perspective": ("perspective",), "bev": ("bev",), "both": ("perspective", "bev")}


@click.command()
@click.option("--dataset", "name", required=True, metavar="NAME", help="The data set.")
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of prediction PNGs, named like the frames; searched with its subfolders.",
)
@options.data_root
@click.option("--split", help="Which frames.  [default: the data set's own choice]")
@click.option(
    "--json",
    "output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the benchmark's own JSON to.",
)
@click.option(
    "--label-scale",
    type=options.COUNT,
    default=1,
    show_default=True,
    metavar="N",
    help="Score every N-th pixel each way; such a score is no official one.",
)
@click.option(
    "--encoding",
    type=click.Choice(["labelids", "trainids"]),
    help="What Cityscapes predictions hold.  [default: labelids]",
)
@click.option("--space", type=click.Choice(list(SPACES)), help="For KITTI Road.  [default: both]")
@click.option(
    "--workers",
    type=options.COUNT,
    default=min(8, os.cpu_count() or 1),
    show_default="one a CPU core, at most 8",
    metavar="N",
    help="Frames scored side by side.",
)
@click.pass_obj
def score(
    registry: Registry,
    name: str,
    predictions: Path,
    data_root: Path,
    split: str | None,
    output: Path | None,
    label_scale: int,
    encoding: str | None,
    space: str | None,
    workers: int,
) -> None:
    """Score a folder of prediction PNGs, from any system, as the benchmark itself does.

    Cityscapes: label ids, 8-bit, named <city>_<sequence>_<frame>*.png. KITTI Road: probability
    maps, 8-bit, named like the ground truth. CamVid: class ids 0 to 11, named like the image.
    Labels may be grey or a palette, whose indices count.
    """
    if output and not output.parent.is_dir():
        raise click.BadParameter(f"{output.parent} is no folder.", param_hint="--json")
    dataset = with_options(
        registry.dataset(name), encoding=encoding, spaces=SPACES[space] if space else None
    )
    split = split or dataset.predictions_split or dataset.score_split
    frames = frames_to_score(dataset, dataset.locate(data_root), split)
    result = score_predictions(dataset, frames, predictions, label_scale, workers, Reporter())
    scale = f", labels at 1/{label_scale}: no official score" if label_scale > 1 else ""
    note = coverage(dataset, split, result.frames)
    title = f"{dataset.name} {split}, {counted(result.frames, 'frame')}{scale}"
    print_score(result, title, [note] if note else [])
    if output:
        draft = output.with_name(f"{output.name}.tmp")
        draft.write_text(json.dumps(result.official, indent=2, allow_nan=False) + "\n", "utf-8")
        draft.replace(output)
