"""What a change to the modern recipe is worth, on the validation split alone.

``python -m tools.try_recipes --variant ema --output tried/ema-0`` trains one variant and leaves its
learning curve in ``tried/ema-0/tried.json``; ``--best tried`` ranks those that are there. The test
split is never read. What was found stands in docs/recipes.md.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import click

from segbench.cli import options
from segbench.data.frames import fingerprint, labelled_frames
from segbench.inference.networks import chosen_network
from segbench.jobs.plan import RunOptions, choose_recipe, configuration
from segbench.jobs.run import new_network, train
from segbench.plugins import Registry
from segbench.progress import Reporter

EMA = {"ema": 0.995}
MILD = {"class_weight_offset": 1.1}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "before": {},
    "ema": EMA,
    "mild-ema": EMA | MILD,
    "no-weights-ema": EMA | {"class_weights": False},
    "mild-lovasz-ema": EMA | MILD | {"lovasz": 1.0},
    "no-weights-lovasz-ema": EMA | {"class_weights": False, "lovasz": 1.0},
    "mild-lovasz-ema-fast": EMA | MILD | {"lovasz": 1.0, "lr": 4e-3},
}


@click.command()
@click.option("--best", type=click.Path(path_type=Path), help="Rank what was tried in this folder.")
@click.option("--variant", type=click.Choice(list(VARIANTS)))
@click.option("--backbone", default="mobilenet", show_default=True)
@click.option("--dataset", default="camvid", show_default=True)
@click.option("--weights", default="imagenet", show_default=True)
@click.option("--epochs", type=options.COUNT, default=60, show_default=True)
@click.option("--seed", type=int, default=0)
@options.data_root
@options.device
@click.option("--limit", type=options.COUNT)
@click.option("--output", type=click.Path(path_type=Path), default=Path("tried"))
def main(best: Path | None, **asked: Any) -> None:
    """Train one variant, or rank those that were trained."""
    if best is not None:
        for name, scores in ranked(best).items():
            shown = ", ".join(f"{score:.4f}" for score in scores)
            click.echo(f"{name:<24} {fmean(scores):.4f} ({shown})")
    else:
        try_variant(**asked)


def try_variant(
    variant: str, backbone: str, dataset: str, epochs: int, output: Path, **given: Any
) -> None:
    """Leave the learning curve of a variant in ``output``."""
    registry, reporter = Registry.load(), Reporter()
    network, data = chosen_network(registry, None, backbone), registry.dataset(dataset)
    recipe = choose_recipe(network, data, "modern", {"epochs": epochs})
    asked = RunOptions(network, data, replace(recipe, **VARIANTS[variant]), **given)
    folder = data.locate(asked.data_root)
    splits = {
        split: labelled_frames(data, folder, split, asked.limit) for split in ("train", "val")
    }
    prints = {split: fingerprint(frames, reporter) for split, frames in splits.items()}
    output.mkdir(parents=True, exist_ok=True)
    model, _ = new_network(asked)
    config = configuration(asked, prints)
    curve = train(model, asked, config, splits, prints, output, reporter, resume=False)
    tried = {"variant": variant, "config": config, "curve": [asdict(epoch) for epoch in curve]}
    (output / "tried.json").write_text(json.dumps(tried, indent=1) + "\n")


def ranked(folder: Path) -> dict[str, list[float]]:
    """Variant -> the last epoch's validation mIoU of each of its trainings, the best first."""
    found = defaultdict(list)
    for path in sorted(folder.glob("*/tried.json")):
        tried = json.loads(path.read_text())
        found[tried["variant"]].append(tried["curve"][-1]["val_miou"])
    return dict(sorted(found.items(), key=lambda item: -fmean(item[1])))


if __name__ == "__main__":
    main()
