"""Where an encoder's first weights come from: ImageNet, a file, or nowhere.

An input convention belongs to the weights, so it is read from the file that has them (the
safetensors metadata ``mean``, ``std`` and ``padding``) before the encoder is built.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from segbench.errors import SegbenchError
from segbench.inference.described import convention_of
from segbench.inference.state_dict import (
    describe_mismatch,
    quantised_key,
    safe_types,
    strip_prefix,
    unwrap,
)
from segbench.types import Backbone, InputConvention

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class LoadedWeights:
    """What was loaded into an encoder, for the record.

    ``found_under`` says where in the file they were ("state_dict, prefix module."), None where
    its keys are the encoder's own. ``ignored`` counts keys of the source that FCN8s has no use for
    (a classifier's); ``fresh`` names the layers that start from random numbers.
    """

    source: str
    convention: InputConvention
    sha256: str | None = None
    found_under: str | None = None
    ignored: int = 0
    fresh: tuple[str, ...] = ()

    def summary(self) -> str:
        """A line for the user: "w.pth: found under model; 0 keys ignored; fc6, fc7 start fresh"."""
        found = f"found under {self.found_under}; " if self.found_under else ""
        fresh = f"; {', '.join(self.fresh)} start fresh" if self.fresh else ""
        return f"{self.source}: {found}{self.ignored} keys ignored{fresh}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class WeightsFile:
    """A file's tensors by key, its safetensors metadata, and the wrapper they were found in."""

    state: "Mapping[str, Tensor]"
    metadata: Mapping[str, str] = field(default_factory=dict)
    wrapper: str | None = None


def build_encoder(backbone: Backbone, weights: str) -> "tuple[nn.Module, LoadedWeights]":
    """An encoder with ``weights``: "imagenet", "none" or a safetensors or torch file.

    Raises SegbenchError when the file is missing, is not a weights file, lacks a key of the
    encoder, or has one of another shape or of a quantised type.
    """
    if weights == "none":
        encoder = backbone.build(backbone.convention)
        return encoder, LoadedWeights("none", backbone.convention, fresh=("all",))
    if weights == "imagenet":
        loaded = LoadedWeights("imagenet", backbone.convention)
        file = WeightsFile(_download(backbone))
    else:
        path = Path(weights)
        file = read_weights(path)
        convention = _convention(backbone.convention, file.metadata, path)
        loaded = LoadedWeights(path.name, convention, file_sha256(path))
    encoder = backbone.build(loaded.convention)
    return encoder, _load(encoder, file, backbone, loaded)


def read_weights(path: Path, option: str = "--weights") -> WeightsFile:
    """The tensors of a safetensors file, or of a torch file, which is read weights-only.

    Those of a torch file may lie inside a wrapper such as ``{"state_dict": ..., "epoch": 3}``.
    """
    import torch
    from safetensors import safe_open

    if not path.is_file():
        raise SegbenchError(f"There is no file {path}; give {option} one that exists.")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                return WeightsFile(state, file.metadata() or {})
        with torch.serialization.safe_globals(safe_types()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or foreign file fails in as many ways as there are
        raise SegbenchError(
            f"{path} is not a weights file that can be read ({_first_line(error)}); give {option} "
            "a safetensors file or a torch state dict."
        ) from error
    found, wrappers = unwrap(content)
    if found is None:
        inside = f" (its keys: {', '.join(map(str, content))})" if isinstance(content, dict) else ""
        raise SegbenchError(
            f"{path} holds no state dict{inside[:200]}; {option} needs tensors by name, as "
            "model.state_dict() returns them."
        )
    return WeightsFile(found, wrapper=".".join(wrappers) or None)


def check_floating(state: "Mapping[str, Tensor]", model: "nn.Module", source: str) -> None:
    """Raise SegbenchError where ``state`` has a quantised tensor for ``model``'s weights."""
    key = quantised_key(state, model.state_dict())
    if key is not None:
        kind = str(state[key].dtype).removeprefix("torch.")
        raise SegbenchError(
            f"The weights {source!r} are quantised ({key!r} is {kind}); give floating-point "
            "weights, which segbench quantises itself for INT8 runtimes."
        )


def check_finite(model: "nn.Module", source: str) -> None:
    """Raise SegbenchError where one of ``model``'s loaded numbers is NaN or infinite."""
    import torch

    for name, tensor in model.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise SegbenchError(
                f"The weights {source!r} are not finite: {name!r} holds NaN or infinity; restore "
                "the file, or train again with a lower --lr."
            )


def weights_label(weights: str) -> str:
    """The name that a record gives ``--weights``: a file's comes with a part of its digest."""
    if weights in ("imagenet", "none"):
        return weights
    path = Path(weights)
    if not path.is_file():
        raise SegbenchError(f"There is no file {path}; give --weights one that exists.")
    return f"{path.name}@{file_sha256(path)[:12]}"


def file_sha256(path: Path) -> str:
    """The hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(backbone: Backbone) -> "Mapping[str, Tensor]":
    if backbone.imagenet is None:
        raise SegbenchError(
            f"Backbone {backbone.name!r} offers no ImageNet weights; use --weights none or a file."
        )
    try:
        return backbone.imagenet()
    except Exception as error:  # a download fails in as many ways as there are hubs
        raise SegbenchError(
            f"The ImageNet weights of {backbone.name!r} could not be downloaded "
            f"({type(error).__name__}: {_first_line(error)}); go online once, or use "
            "--weights FILE or --weights none."
        ) from error


def _convention(
    default: InputConvention, metadata: Mapping[str, str], path: Path
) -> InputConvention:
    """The convention in a file's metadata, which a segbench checkpoint keeps as JSON."""
    try:
        if "segbench" in metadata:
            return convention_of(orjson.loads(metadata["segbench"])["convention"])
        numbers = {
            key: [float(value) for value in metadata[key].split(",")]
            for key in ("mean", "std")
            if key in metadata
        }
        padding = metadata.get("padding", default.padding)
        kept = {"mean": list(default.mean), "std": list(default.std), "padding": padding}
        return convention_of(kept | numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise SegbenchError(f"The metadata of {path} is wrong: {error}.") from error


def _load(
    encoder: "nn.Module", file: WeightsFile, backbone: Backbone, loaded: LoadedWeights
) -> LoadedWeights:
    wanted = encoder.state_dict()

    def adapted(state: "Mapping[str, Tensor]") -> "Mapping[str, Tensor]":
        return state if backbone.adapt is None else backbone.adapt(state)

    found, prefix = strip_prefix(file.state, lambda state: len(wanted.keys() & adapted(state)))
    state = adapted(found)
    fitting = [key for key in wanted if key in state]
    counters = {key for key in wanted if key.endswith("num_batches_tracked")}
    missing = [key for key in wanted if key not in state and key not in counters]
    fresh = [key for key in missing if key.startswith(backbone.may_start_fresh or ("\0",))]
    lacking = [key for key in missing if key not in fresh]
    source = f"The weights {loaded.source!r} do not fit backbone {backbone.name!r}:"
    if lacking:
        unused = [key for key in state if key not in wanted]
        raise SegbenchError(
            f"{source} {len(lacking)} of {len(wanted) - len(counters)} keys are missing; "
            f"{describe_mismatch(lacking, unused)}."
        )
    for key in fitting:
        if wanted[key].shape != state[key].shape and key not in counters:
            raise SegbenchError(
                f"{source} {key!r} has shape {tuple(state[key].shape)}, "
                f"not {tuple(wanted[key].shape)}."
            )
    check_floating(state, encoder, loaded.source)
    encoder.load_state_dict({key: state[key] for key in fitting}, strict=False)
    check_finite(encoder, loaded.source)
    return replace(
        loaded,
        found_under=", ".join(filter(None, (file.wrapper, prefix and f"prefix {prefix}"))) or None,
        ignored=len(file.state) - len(fitting),
        fresh=tuple(sorted({key.rsplit(".", 1)[0] for key in fresh})),
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].split(". ")[0].rstrip(".")
