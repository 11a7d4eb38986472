"""Initial weights of a network: a download, a file, or random numbers.

The input convention belongs to the weights, so it is read from their file (the safetensors metadata
``mean``, ``std`` and ``padding``) before the network is built.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from segbench.errors import SegbenchError, first_line
from segbench.inference.described import convention_of
from segbench.inference.state_dict import (
    describe_mismatch,
    quantised_key,
    safe_types,
    strip_prefix,
    unwrap,
)
from segbench.types import InputConvention, Network

if TYPE_CHECKING:
    from torch import Tensor, nn

    from segbench.networks.model import SegmentationModel


@dataclass(frozen=True)
class LoadedWeights:
    """What was loaded into a network, for the record.

    ``found_under`` says where in the file they were ("state_dict, prefix module."), None if its
    keys match the network's. ``ignored`` counts unused keys of the source (a classifier's);
    ``fresh`` lists layers with random weights.
    """

    source: str
    convention: InputConvention
    sha256: str | None = None
    found_under: str | None = None
    ignored: int = 0
    fresh: tuple[str, ...] = ()

    def summary(self) -> str:
        """A line for the user: "w.pth: found under model; 0 keys ignored; random: fc6"."""
        found = f"found under {self.found_under}; " if self.found_under else ""
        fresh = f"; random: {', '.join(self.fresh)}" if self.fresh else ""
        return f"{self.source}: {found}{self.ignored} keys ignored{fresh}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class WeightsFile:
    """A file's tensors by key, its safetensors metadata and digest, and the wrapper around them."""

    state: "Mapping[str, Tensor]"
    metadata: Mapping[str, str] = field(default_factory=dict)
    sha256: str | None = None
    wrapper: str | None = None


def build_model(
    network: Network, classes: int, weights: str
) -> "tuple[SegmentationModel, LoadedWeights]":
    """``network`` with ``weights``: "imagenet" or another download, "none", or a file.

    The file, safetensors or torch's, fills ``Network.pretrained_part``. Raises SegbenchError if it
    is missing, is not a weights file, lacks a key of that part, or has one with another shape or a
    quantised type.
    """
    from segbench.networks.model import SegmentationModel

    if weights == "none":
        model = SegmentationModel(network, classes)
        return model, LoadedWeights("none", model.convention, fresh=("all",))
    if weights == "imagenet" or weights in network.weights:
        loaded = LoadedWeights(weights, network.convention)
        file = WeightsFile(_download(network, weights))
    else:
        path = Path(weights)
        file = read_weights(path)
        convention = _convention(network.convention, file.metadata, path)
        loaded = LoadedWeights(path.name, convention, file.sha256)
    model = SegmentationModel(network, classes, loaded.convention)
    return model, _load(model, file, loaded)


def read_weights(path: Path, option: str = "--weights") -> WeightsFile:
    """The tensors of a safetensors file, or of a torch file, which is read weights-only.

    A torch file may have them in a wrapper such as ``{"state_dict": ..., "epoch": 3}``.
    SegbenchError if a training replaces the file meanwhile.
    """
    before = _identity(weights_file(path, option))
    sha256 = file_sha256(path)
    file = replace(_read_weights(path, option), sha256=sha256)
    if _identity(weights_file(path, option)) != before:
        raise SegbenchError(f"{path} was replaced while it was read; try again.")
    return file


def _identity(path: Path) -> tuple[int, int, int]:
    """What differs between a file and the one that replaces it."""
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _read_weights(path: Path, option: str) -> WeightsFile:
    import torch
    from safetensors import safe_open

    try:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
                return WeightsFile(state, file.metadata() or {})
        with torch.serialization.safe_globals(safe_types()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or foreign file can raise any error
        raise SegbenchError(
            f"{path} is not a weights file that can be read ({first_line(error)}); give {option} "
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


def weights_file(path: Path, option: str = "--weights") -> Path:
    """``path``; SegbenchError if it is not a file."""
    if not path.is_file():
        raise SegbenchError(f"There is no file {path}; give {option} one that exists.")
    return path


def check_floating(state: "Mapping[str, Tensor]", model: "nn.Module", source: str) -> None:
    """Raise SegbenchError if ``state`` has a quantised tensor for ``model``'s weights."""
    key = quantised_key(state, model.state_dict())
    if key is not None:
        kind = str(state[key].dtype).removeprefix("torch.")
        raise SegbenchError(
            f"The weights {source!r} are quantised ({key!r} is {kind}); give floating-point "
            "weights, which segbench quantises itself for INT8 runtimes."
        )


def check_finite(model: "nn.Module", source: str) -> None:
    """Raise SegbenchError if a weight of ``model`` is NaN or infinite."""
    import torch

    for name, tensor in model.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise SegbenchError(
                f"The weights {source!r} are not finite: {name!r} holds NaN or infinity; restore "
                "the file, or train again with a lower --lr."
            )


def weights_label(weights: str, downloads: Collection[str] = ()) -> str:
    """The name of ``--weights`` in records: a file's includes a part of its digest."""
    if weights in ("imagenet", "none", *downloads):
        return weights
    path = weights_file(Path(weights))
    return f"{path.name}@{file_sha256(path)[:12]}"


def file_sha256(*paths: Path) -> str:
    """The hex digest of the content of files, one after the other; SegbenchError if unreadable."""
    whole = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                hashlib.file_digest(file, lambda: whole)
        except OSError as error:
            raise SegbenchError(f"{path} cannot be read ({error.strerror}).") from error
    return whole.hexdigest()


def _download(network: Network, name: str) -> "Mapping[str, Tensor]":
    title = network.plugin.name
    if name not in network.weights:
        raise SegbenchError(
            f"There are no ImageNet weights for {title!r}; use --weights none or a file."
        )
    try:
        return network.weights[name]()
    except Exception as error:  # each hub has its own errors
        raise SegbenchError(
            f"The weights {name!r} of {title!r} could not be downloaded "
            f"({type(error).__name__}: {first_line(error)}); go online once, or use "
            "--weights FILE or --weights none."
        ) from error


def _convention(
    default: InputConvention, metadata: Mapping[str, str], path: Path
) -> InputConvention:
    """The input convention in a file's metadata, stored as JSON."""
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


def _load(model: "SegmentationModel", file: WeightsFile, loaded: LoadedWeights) -> LoadedWeights:
    network = model.network
    part = model.net.get_submodule(network.pretrained_part)
    wanted = part.state_dict()

    def adapted(state: "Mapping[str, Tensor]") -> "Mapping[str, Tensor]":
        return state if network.adapt is None else network.adapt(state, model.classes)

    found, prefix = strip_prefix(file.state, lambda state: len(wanted.keys() & adapted(state)))
    state = adapted(found)
    fitting = [key for key in wanted if key in state]
    counters = {key for key in wanted if key.endswith("num_batches_tracked")}
    missing = [key for key in wanted if key not in state and key not in counters]
    fresh = [key for key in missing if key.startswith(network.may_start_random or ("\0",))]
    lacking = [key for key in missing if key not in fresh]
    source = f"The weights {loaded.source!r} do not fit {network.plugin.name!r}:"
    if lacking:
        unused = [key for key in state if key not in wanted]
        raise SegbenchError(
            f"{source} {len(lacking)} of {len(wanted) - len(counters)} keys are missing; "
            f"{describe_mismatch(lacking, unused)}."
        )
    for key in list(fitting):
        if wanted[key].shape == state[key].shape or key in counters:
            continue
        if not key.startswith(network.score_layers or ("\0",)):
            raise SegbenchError(
                f"{source} {key!r} has shape {tuple(state[key].shape)}, "
                f"not {tuple(wanted[key].shape)}."
            )
        fitting.remove(key)
        fresh.append(key)
    check_floating(state, part, loaded.source)
    part.load_state_dict({key: state[key] for key in fitting}, strict=False)
    check_finite(part, loaded.source)
    return replace(
        loaded,
        found_under=", ".join(filter(None, (file.wrapper, prefix and f"prefix {prefix}"))) or None,
        ignored=len(file.state) - len(fitting),
        fresh=tuple(sorted({key.rsplit(".", 1)[0] for key in fresh})),
    )
