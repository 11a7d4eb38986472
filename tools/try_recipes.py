"""What a change to the modern recipe is worth, on the validation split alone.

``python -m tools.try_recipes --variant ema`` trains one variant and leaves its learning curve in
``tried/ema-0/tried.json``, with 0 for the seed; ``--best tried`` ranks those that are there. With
``--held-out 0006R0`` that drive of CamVid's training split is validated on, and not trained on.
The test split is never read. What was found stands in docs/recipes.md.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any
from unittest.mock import patch

import click
from torch import Tensor
from torch.nn import functional

from segbench.cli import options
from segbench.data.frames import fingerprint, labelled_frames
from segbench.errors import SegbenchError
from segbench.inference.networks import chosen_network
from segbench.jobs.experiment import Experiment
from segbench.jobs.plan import RunOptions, choose_recipe, configuration
from segbench.jobs.train import new_network, train
from segbench.networks.model import SegmentationModel
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.training import fit
from segbench.training.loss import LOVASZ_STRIDE, Loss, lovasz_softmax, make_loss
from segbench.training.tracking import Tracking
from segbench.types import IGNORED, MODERN, Frame, Size

HARDEST, SMOOTHING, AUXILIARY = 0.25, 0.1, 0.4


@dataclass(frozen=True)
class TriedLoss(Loss):
    """The recipe's loss with another cross-entropy of logits (N, classes, H, W) and labels."""

    cross: Callable[[Tensor, Tensor], Tensor] = field(kw_only=True)

    def __call__(self, logits: Tensor, labels: Tensor, batch: Tensor | None = None) -> Tensor:
        """The loss of a whole batch."""
        fewer = logits[..., ::LOVASZ_STRIDE, ::LOVASZ_STRIDE]
        surrogate = lovasz_softmax(fewer, labels[..., ::LOVASZ_STRIDE, ::LOVASZ_STRIDE])
        return self.cross(logits, labels) + self.lovasz * surrogate


def smoothed(logits: Tensor, labels: Tensor) -> Tensor:
    """Label smoothing: a tenth of each pixel's target is spread over all classes."""
    return functional.cross_entropy(logits, labels, ignore_index=IGNORED, label_smoothing=SMOOTHING)


def of_the_hardest(logits: Tensor, labels: Tensor) -> Tensor:
    """OHEM: the mean of the quarter of the labelled pixels with the largest losses."""
    each = functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none")
    each = each[labels != IGNORED]
    return each.topk(max(1, int(HARDEST * len(each)))).values.mean()


def with_auxiliary(model: SegmentationModel) -> Callable[[Tensor, Tensor], Tensor]:
    """Cross-entropy, and 0.4 times that of the scores at strides 16 and 32 before they are fused.

    Weight as in Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017.
    """
    seen: dict[str, Tensor] = {}
    for name in ("up16", "up32"):
        layer = getattr(model.net, name)
        layer.register_forward_pre_hook(lambda _, given, name=name: seen.update({name: given[0]}))

    def cross(logits: Tensor, labels: Tensor) -> Tensor:
        total = functional.cross_entropy(logits, labels, ignore_index=IGNORED)
        for coarse in seen.values():
            scores = functional.interpolate(coarse.float(), labels.shape[1:], mode="bilinear")
            total = total + AUXILIARY * functional.cross_entropy(
                scores, labels, ignore_index=IGNORED
            )
        return total

    return cross


@dataclass(frozen=True)
class Variant:
    """What is changed: settings of the recipe, the decoder, or the cross-entropy for a model."""

    recipe: Mapping[str, Any] = field(default_factory=dict)
    decoder: str = "bilinear"
    cross: Callable[[SegmentationModel], Callable[[Tensor, Tensor], Tensor]] | None = None


BEFORE = {"class_weights": True, "lovasz": 0.0, "ema": None}
EMA = {"ema": 0.995}
NO_EMA = {"ema": None}
MILD = {"class_weight_offset": 1.1}
SLOW, SLOWER = {"encoder_lr_scale": 0.2}, {"encoder_lr_scale": 0.1}
TWICE_THE_COLOURS = replace(
    MODERN.augmentation, brightness=(-64, 64), contrast=(0.5, 1.6), saturation=(0.0, 2.0)
)
COLOURS = {"augmentation": TWICE_THE_COLOURS}
VARIANTS: Mapping[str, Variant] = {
    "before": Variant(BEFORE),
    "ema": Variant(BEFORE | EMA),
    "mild-ema": Variant(BEFORE | EMA | MILD),
    "no-weights-ema": Variant(EMA | {"lovasz": 0.0}),
    "mild-lovasz-ema": Variant(EMA | MILD | {"class_weights": True}),
    "mild-lovasz-ema-fast": Variant(EMA | MILD | {"class_weights": True, "lr": 4e-3}),
    "no-weights-lovasz-ema": Variant(EMA),
    "label-smoothing": Variant(EMA, cross=lambda model: smoothed),
    "ohem": Variant(EMA, cross=lambda model: of_the_hardest),
    "auxiliary": Variant(EMA, cross=with_auxiliary),
    "wide": Variant(EMA, "wide"),
    "wide-no-ema": Variant(NO_EMA, "wide"),
    "slow-encoder": Variant(NO_EMA | SLOW, "wide"),
    "slow-encoder-stride4": Variant(NO_EMA | SLOW, "wide4"),
    "slower-encoder": Variant(NO_EMA | SLOWER, "wide"),
    "slow-encoder-decay": Variant(NO_EMA | SLOW | {"weight_decay": 0.1}, "wide"),
    "slow-encoder-colours": Variant(NO_EMA | SLOW | COLOURS, "wide"),
    "slower-encoder-colours": Variant(NO_EMA | SLOWER | COLOURS, "wide"),
}
"""``no-weights-lovasz-ema`` is CamVid's modern recipe, which those after it change."""


@click.command()
@click.option("--best", type=click.Path(path_type=Path), help="Rank what was tried in this folder.")
@click.option("--variant", type=click.Choice(list(VARIANTS)))
@click.option("--backbone", default="mobilenet", show_default=True)
@click.option("--dataset", default="camvid", show_default=True)
@click.option("--weights", default="imagenet", show_default=True)
@click.option("--epochs", type=options.COUNT, default=60, show_default=True)
@click.option("--crop", type=options.SIZE, help="Default: the recipe's.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), help="Default: the recipe's.")
@click.option("--held-out", help="Validate on the training frames whose names begin so.")
@click.option("--seed", type=int, default=0)
@options.data_root
@options.device
@click.option("--limit", type=options.COUNT)
@click.option(
    "--output", type=click.Path(path_type=Path), help="Default: tried/ with the variant and seed."
)
def main(best: Path | None, **asked: Any) -> None:
    """Train one variant, or rank those that were trained."""
    if best is not None:
        for name, scores in ranked(best).items():
            shown = ", ".join(f"{score:.4f}" for score in scores)
            click.echo(f"{name:<24} {fmean(scores):.4f} ({shown})")
    elif asked["variant"] is None:
        raise click.UsageError("Give --variant, or --best with the folder of those tried.")
    else:
        asked["output"] = asked["output"] or Path("tried") / f"{asked['variant']}-{asked['seed']}"
        try_variant(**asked)


def try_variant(
    variant: str,
    backbone: str,
    dataset: str,
    output: Path,
    held_out: str | None = None,
    epochs: int | None = None,
    crop: Size | None = None,
    precision: str | None = None,
    **given: Any,
) -> None:
    """Leave the learning curve of a variant in ``output``."""
    registry, reporter = Registry.load(), Reporter()
    tried_variant = VARIANTS[variant]
    network = chosen_network(registry, None, backbone, tried_variant.decoder)
    data = registry.dataset(dataset)
    recipe = choose_recipe(
        network, data, "modern", {"epochs": epochs, "crop": crop, "precision": precision}
    )
    asked = RunOptions(network, data, replace(recipe, **tried_variant.recipe), **given)
    folder = data.locate(asked.data_root)
    splits = {
        split: labelled_frames(data, folder, split, asked.limit) for split in ("train", "val")
    }
    if held_out is not None:
        splits = without(held_out, splits["train"])
    prints = {split: fingerprint(data, frames, reporter) for split, frames in splits.items()}
    output.mkdir(parents=True, exist_ok=True)
    model, _ = new_network(asked)
    config = configuration(asked, prints)
    with patch.object(fit, "make_loss", loss_maker(tried_variant, model)):
        experiment = Experiment(asked, splits, prints, config, output)
        curve = train(experiment, model, Tracking(output, reporter), reporter)
    tried = {"variant": variant, "config": config, "curve": [asdict(epoch) for epoch in curve]}
    (output / "tried.json").write_text(json.dumps(tried, indent=1) + "\n")


def without(held_out: str, frames: Sequence[Frame]) -> dict[str, tuple[Frame, ...]]:
    """Training frames but those whose names begin so; every second of these to validate on."""
    held = tuple(frame for frame in frames if frame.id.startswith(held_out))
    rest = tuple(frame for frame in frames if not frame.id.startswith(held_out))
    if len(held) < 2 or not rest:
        raise SegbenchError(
            f"--held-out {held_out}: {len(held)} of {len(frames)} training frames begin so, which "
            "leaves none to train or validate on."
        )
    return {"train": rest, "val": held[1::2]}


def loss_maker(variant: Variant, model: SegmentationModel) -> Callable[..., Loss]:
    """The training loop's ``make_loss`` with the variant's cross-entropy."""
    if variant.cross is None:
        return make_loss
    cross = variant.cross(model)
    return lambda *given: TriedLoss(**vars(make_loss(*given)), cross=cross)


def ranked(folder: Path) -> dict[str, list[float]]:
    """Variant -> the last epoch's validation mIoU of each of its trainings, the best first."""
    found = defaultdict(list)
    for path in sorted(folder.glob("*/tried.json")):
        tried = json.loads(path.read_text())
        found[tried["variant"]].append(tried["curve"][-1]["val_miou"])
    return dict(sorted(found.items(), key=lambda item: -fmean(item[1])))


if __name__ == "__main__":
    main()
