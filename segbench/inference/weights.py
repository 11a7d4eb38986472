"""Where an encoder's first weights come from: ImageNet, a file, or nowhere.

An input convention belongs to the weights, so it is read from the file that has them (the
safetensors metadata ``mean``, ``std`` and ``padding``) before the encoder is built.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from segbench.errors import SegbenchError
from segbench.types import Backbone, InputConvention

if TYPE_CHECKING:
    from torch import Tensor, nn

PADDINGS: dict[str, Literal["symmetric", "same"]] = {"symmetric": "symmetric", "same": "same"}


@dataclass(frozen=True)
class LoadedWeights:
    """What was loaded into an encoder, for the record.

    ``ignored`` counts keys of the source that FCN8s has no use for (a classifier's); ``fresh``
    names the layers that start from random numbers.
    """

    source: str
    convention: InputConvention
    sha256: str | None = None
    ignored: int = 0
    fresh: tuple[str, ...] = ()

    def summary(self) -> str:
        """A line for the user: "vgg16.safetensors: 0 keys ignored; fc6, fc7 start fresh"."""
        fresh = f"; {', '.join(self.fresh)} start fresh" if self.fresh else ""
        return f"{self.source}: {self.ignored} keys ignored{fresh}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def build_encoder(backbone: Backbone, weights: str) -> "tuple[nn.Module, LoadedWeights]":
    """An encoder with ``weights``: "imagenet", "none" or a safetensors or torch file.

    Raises SegbenchError when the file is missing, is no weights file, lacks a key of the encoder
    or has one of another shape.
    """
    if weights == "none":
        encoder = backbone.build(backbone.convention)
        return encoder, LoadedWeights("none", backbone.convention, fresh=("all",))
    if weights == "imagenet":
        loaded = LoadedWeights("imagenet", backbone.convention)
        state = _download(backbone)
    else:
        path = Path(weights)
        state, metadata = read_weights(path)
        loaded = LoadedWeights(
            path.name, _convention(backbone.convention, metadata, path), file_sha256(path)
        )
    encoder = backbone.build(loaded.convention)
    if backbone.adapt is not None:
        state = backbone.adapt(state)
    return encoder, _load(encoder, state, backbone, loaded)


def read_weights(
    path: Path, option: str = "--weights"
) -> "tuple[Mapping[str, Tensor], dict[str, str]]":
    """A file's tensors and its metadata (empty for a torch file, which is read weights-only)."""
    import torch
    from safetensors import safe_open

    if not path.is_file():
        raise SegbenchError(f"There is no file {path}; give {option} one that exists.")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is no state dict fails in as many ways as there are
        raise SegbenchError(
            f"{path} is not a weights file that can be read ({_first_line(error)}); give {option} "
            "a safetensors file or a torch state dict."
        ) from error
    if isinstance(state, Mapping) and "state_dict" in state:
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(torch.is_tensor(v) for v in state.values()):
        raise SegbenchError(f"{path} holds no state dict; {option} wants tensors by name.")
    return state, {}


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
    try:
        numbers: dict[str, Any] = {
            key: tuple(float(value) for value in metadata[key].split(","))
            for key in ("mean", "std")
            if key in metadata
        }
    except ValueError:
        numbers = {"mean": ()}
    padding = PADDINGS.get(metadata.get("padding", default.padding))
    if any(len(n) != 3 for n in numbers.values()) or padding is None:
        raise SegbenchError(
            f"The metadata of {path} is wrong: mean and std want three numbers, padding "
            "'symmetric' or 'same'."
        )
    mean, std = numbers.get("mean", default.mean), numbers.get("std", default.std)
    return InputConvention(mean, std, padding)


def _load(
    encoder: "nn.Module",
    state: "Mapping[str, Tensor]",
    backbone: Backbone,
    loaded: LoadedWeights,
) -> LoadedWeights:
    wanted = encoder.state_dict()
    counters = {key for key in wanted if key.endswith("num_batches_tracked")}
    missing = wanted.keys() - state.keys() - counters
    fresh = {key for key in missing if key.startswith(backbone.may_start_fresh or ("\0",))}
    source = f"The weights {loaded.source!r} do not fit backbone {backbone.name!r}:"
    if missing - fresh:
        raise SegbenchError(
            f"{source} {len(missing - fresh)} keys are missing, first {min(missing - fresh)!r}."
        )
    for key in sorted(wanted.keys() & state.keys() - counters):
        if wanted[key].shape != state[key].shape:
            raise SegbenchError(
                f"{source} {key!r} has shape {tuple(state[key].shape)}, "
                f"not {tuple(wanted[key].shape)}."
            )
    encoder.load_state_dict({key: state[key] for key in wanted.keys() & state.keys()}, strict=False)
    layers = tuple(sorted({key.rsplit(".", 1)[0] for key in fresh}))
    return replace(loaded, ignored=len(state.keys() - wanted.keys()), fresh=layers)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].split(". ")[0].rstrip(".")
