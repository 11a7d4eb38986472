"""Four-fold cross-validation of FCN8s on KITTI Road, where only some of its frames are at hand.

``python -m tools.kitti_folds --weights FILE`` trains four networks, each on three folds of the
labelled frames for a fixed number of epochs, and lets each predict the fold it has not seen. The
predictions of all frames are scored together, in the image and in bird's-eye view, and there is a
record of each. Called again it goes on where it was stopped. docs/metrics.md says what the figures
are, and what they are not.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from segbench import api
from segbench.cli import options
from segbench.cli.terminal import echo
from segbench.inference.checkpoint import BEST
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.scoring.score import Score
from segbench.types import Size
from segbench_plugins.commands.predict import IDS, PredictOptions, draw_inputs
from segbench_plugins.commands.print_scores import print_score
from segbench_plugins.datasets.kitti.folds import FOLDS, held_out

SPACES = ("perspective", "bev")


@click.command()
@click.option("--backbone", default="mobilenet", show_default=True)
@click.option("--weights", default="imagenet", show_default=True, help="Initial weights.")
@click.option("--epochs", type=options.COUNT, default=24, show_default=True)
@click.option("--size", type=options.SIZE, default="384x1248", show_default=True)
@click.option("--crop", type=options.SIZE, default="384x416", show_default=True)
@options.data_root
@options.device
@options.results
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("runs/kitti-folds"),
    show_default=True,
    help="Folder of the networks, their records and the predictions.",
)
def main(
    backbone: str, weights: str, epochs: int, size: Size, crop: Size, device: str, **folders: Path
) -> None:
    """Train on three folds, predict the fourth, four times, and score all predictions together."""
    registry = Registry.load()
    changes = {"epochs": epochs, "size": size, "crop": crop}
    for space, score in cross_validate(
        backbone, registry, Reporter(), weights, changes, device, **folders
    ).items():
        benchmark = registry.dataset("kitti").benchmark
        print_score(score, benchmark, f"{system(backbone)}, {score.frames} frames, {space}")
        echo(score.record)


def cross_validate(
    backbone: str,
    registry: Registry,
    reporter: Reporter,
    weights: str,
    changes: Mapping[str, object],
    device: str,
    *,
    data_root: Path,
    output: Path,
    results: Path,
) -> dict[str, Score]:
    """The scores of all labelled frames by space, each with its record in ``results``.

    ``changes`` are of KITTI's modern recipe. The four trainings and their own records are left in
    ``output``, and the predictions in its folder "maps".
    """
    kitti = registry.dataset("kitti")
    folder = kitti.locate(data_root)
    for fold in FOLDS:
        dataset = held_out(kitti, fold)
        checkpoint = output / dataset.score_split
        api.train(
            backbone,
            dataset,
            weights=weights,
            changes=changes,
            data_root=data_root,
            results=output / "results",
            plugins=registry,
            reporter=reporter,
            train_splits=("train", "val"),
            output=checkpoint,
            device=device,
            resume=True,
            argv=sys.argv,
        )
        unseen = dataset.frames(folder, dataset.score_split)
        asked = PredictOptions(
            checkpoint=checkpoint / BEST,
            runtime=registry.runtime("eager"),
            device=device,
            inputs=tuple(str(frame.image) for frame in unseen),
            output=output / "maps",
            kinds=(IDS,),
        )
        draw_inputs(asked, registry, reporter)
    return {
        space: api.score(
            "kitti",
            output / "maps",
            split="labelled",
            options={"space": space},
            data_root=data_root,
            plugins=registry,
            reporter=reporter,
            results=results,
            name=system(backbone),
            argv=sys.argv,
        )
        for space in SPACES
    }


def system(backbone: str) -> str:
    """What the four networks together are called in a leaderboard."""
    return f"{backbone}, four folds"


if __name__ == "__main__":
    main()
