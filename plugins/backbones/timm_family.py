"""Every model of timm whose features have strides 8, 16 and 32, as ``timm/NAME``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from segbench.errors import PluginError, unknown_name
from segbench.hookspecs import hookimpl
from segbench.inference.downloads import Download
from segbench.types import Backbone, BackboneFamily, InputConvention

from .mobilenet import fix_padding

if TYPE_CHECKING:
    from torch import Tensor, nn

PREFIX = "timm/"
STRIDES = (4, 8, 16, 32)
"""The first is optional."""


def names() -> Sequence[str]:
    """The names of timm's models; whether one fits is known only after building it."""
    import timm

    models: list[str] = timm.list_models()
    return models


def find(name: str) -> Backbone:
    """The model of that name, with timm's mean and deviation; PluginError if unknown."""
    import timm

    described: Any = None
    if timm.is_model(name):
        with suppress(RuntimeError):  # no weights of the tag in resnet18.TAG
            described = timm.get_pretrained_cfg(name)
    if described is None:  # nor has timm any for its deprecated names
        raise PluginError(unknown_name("timm model", name, set(names())))
    mean, std = (tuple(255 * value for value in each) for each in (described.mean, described.std))
    return Backbone(
        name=f"{PREFIX}{name}",
        summary=f"{name} from timm",
        build=partial(build, name),
        convention=InputConvention(cast("Any", mean), cast("Any", std)),
        imagenet=_weights(name, described) if described.has_weights else None,
        requires=("torch", "timm"),
    )


def _weights(name: str, described: Any) -> "Callable[[], Mapping[str, Tensor]]":
    """timm's weights; a few are on neither hub."""
    fetch = partial(imagenet, name)
    if described.hf_hub_id is None:
        return fetch
    folder = "models--" + described.hf_hub_id.replace("/", "--")
    return Download(fetch, "Hugging Face", f"{folder}/snapshots/*/*model.*")


def build(name: str, convention: InputConvention) -> "nn.Module":
    """timm's feature extractor with random weights; PluginError if its strides do not fit."""
    import torch

    encoder = create(name)
    encoder.channels = tuple(encoder.feature_info.channels())
    fix_padding(encoder)
    height, width = 64, 96
    expected = [
        (1, channels, height // stride, width // stride)
        for channels, stride in zip(
            encoder.channels, STRIDES[-len(encoder.channels) :], strict=True
        )
    ]
    try:
        with torch.no_grad():
            features = encoder.eval()(torch.zeros(1, 3, height, width))
        found = [tuple(feature.shape) for feature in features]
    except Exception as error:  # models with a fixed size raise various errors
        raise PluginError(
            f"timm's {name} rejects images of {height}x{width} ({error}); choose another model."
        ) from error
    if found != expected:
        raise PluginError(
            f"timm's {name} has features of {found} for images of {height}x{width}, not "
            f"{expected}; choose another model."
        )
    return cast("nn.Module", encoder.train())


def create(name: str, pretrained: bool = False) -> Any:
    """The extractor of the last features at strides 8, 16 and 32, and 4 if there are any."""
    import timm

    try:
        whole: Any = timm.create_model(name, features_only=True)
        reductions = whole.feature_info.reduction()
        places = dict(zip(reductions, whole.feature_info.out_indices, strict=True))
    except Exception as error:  # not every model can return features
        raise PluginError(
            f"timm's {name} cannot return features ({error}); choose another model."
        ) from error
    if any(stride not in places for stride in STRIDES[1:]):
        raise PluginError(
            f"timm's {name} has features at strides {', '.join(map(str, reductions))}, but FCN8s "
            f"needs 8, 16 and 32; choose another model."
        )
    indices = tuple(places[stride] for stride in STRIDES if stride in places)
    return timm.create_model(name, features_only=True, out_indices=indices, pretrained=pretrained)


def imagenet(name: str) -> "Mapping[str, Tensor]":
    """timm's weights."""
    state: Mapping[str, Tensor] = create(name, pretrained=True).state_dict()
    return state


@hookimpl
def segbench_backbones() -> Iterable[BackboneFamily]:
    """One family, ``timm/NAME``."""
    yield BackboneFamily(
        name=f"{PREFIX}NAME",
        summary="Any timm model with features at strides 8, 16 and 32",
        prefix=PREFIX,
        find=find,
        names=names,
        requires=("torch", "timm"),
    )
