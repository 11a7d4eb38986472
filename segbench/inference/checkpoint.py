"""Trained networks from files; a checkpoint has its configuration in its safetensors metadata."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.errors import SegbenchError
from segbench.files import draft_of
from segbench.inference.described import convention_of, described
from segbench.inference.networks import LoadedNetwork, chosen_network
from segbench.inference.weights import (
    LoadedWeights,
    WeightsFile,
    build_model,
    check_finite,
    check_floating,
    read_weights,
    weights_label,
)
from segbench.types import Dataset, Network, Size

if TYPE_CHECKING:
    from segbench.networks.model import SegmentationModel
    from segbench.plugins import Registry

BEST = "best.safetensors"


def save_checkpoint(path: Path, model: "SegmentationModel", config: Mapping[str, Any]) -> None:
    """Write atomically; ``config`` contains ``dataset``, ``height`` and ``width``."""
    from safetensors.torch import save

    described = {
        **config,
        **model.network.config,
        "classes": model.classes,
        "convention": asdict(model.convention),
    }
    state = {key: tensor.contiguous().cpu() for key, tensor in model.net.state_dict().items()}
    with draft_of(path) as draft:
        draft.write_bytes(save(state, metadata={"segbench": json.dumps(described)}))


def load_checkpoint(path: Path, registry: "Registry", size: Size | None = None) -> LoadedNetwork:
    """The network of a checkpoint or of a run's folder (its best); SegbenchError for other files.

    ``size`` defaults to the one it was trained at.
    """
    path = checkpoint_file(path)
    from segbench.networks.model import SegmentationModel

    file = read_weights(path, option="--checkpoint")
    config, network = _network_of(file, path, registry)
    model = SegmentationModel(network, config["classes"])
    check_floating(file.state, model.net, path.name)
    try:
        model.net.load_state_dict(dict(file.state))
    except RuntimeError as error:
        raise SegbenchError(
            f"{path} does not fit {network.plugin.name!r} as it is now; train again or "
            "use the version that wrote it."
        ) from error
    check_finite(model.net, path.name)
    trained_at = (config["height"], config["width"])
    return LoadedNetwork(model.eval(), size or trained_at, config, file.sha256)


def checkpoint_network(path: Path, registry: "Registry") -> Network:
    """The network of a checkpoint with its input convention, to be trained further."""
    path = checkpoint_file(path)
    return _network_of(read_weights(path, option="--checkpoint"), path, registry)[1]


def fine_tuned(
    network: Network, classes: int, path: Path
) -> "tuple[SegmentationModel, LoadedWeights]":
    """``network`` for ``classes`` classes with all layers of its checkpoint at ``path``.

    Score layers for a different number of classes start random. SegbenchError if a layer is missing
    or has another shape.
    """
    whole = replace(network, pretrained_part="", adapt=None, may_start_random=())
    model, loaded = build_model(whole, classes, str(path))
    model.network = network
    return model, loaded


def _network_of(
    file: WeightsFile, path: Path, registry: "Registry"
) -> tuple[dict[str, Any], Network]:
    """A checkpoint's configuration, and its network with the convention of its weights."""
    try:
        config = described(file.metadata.get("segbench", "{}"))
        convention = convention_of(config["convention"])
    except ValueError as error:
        raise SegbenchError(
            f"{path} holds weights but no segbench configuration ({error}); give --checkpoint a "
            "file that segbench run wrote."
        ) from error
    names = [config.get(key) for key in ("network", "backbone", "decoder")]
    return config, replace(chosen_network(registry, *names), convention=convention)


def load_weights(
    network: Network, path: Path, dataset: Dataset, size: Size | None = None
) -> LoadedNetwork:
    """A network with published weights for the classes of ``dataset``.

    ``size`` defaults to that of the dataset's modern recipe. Raises SegbenchError if the file lacks
    weights for some layers.
    """
    check_whole(network)
    classes = len(dataset.classes)
    model, loaded = build_model(network, classes, str(path))
    if loaded.fresh:
        raise SegbenchError(
            f"{path} has no weights of {network.name!r} for the {classes} classes of "
            f"{dataset.name!r} ({', '.join(loaded.fresh)}); give another --dataset."
        )
    config = weights_config(network, path, dataset)
    return LoadedNetwork(model.eval(), size or modern_size(dataset), config, loaded.sha256)


def check_whole(network: Network) -> None:
    """Raise SegbenchError if weights files fill only a part of the network."""
    if network.pretrained_part:
        raise SegbenchError(
            f"A weights file fills only the {network.pretrained_part} of {network.name!r}, which "
            "cannot be scored; give --checkpoint, or train with segbench run."
        )


def weights_config(network: Network, path: Path, dataset: Dataset) -> dict[str, Any]:
    """The record's configuration of a network with published weights."""
    return {"dataset": dataset.name, **network.config, "weights": weights_label(str(path))}


def modern_size(dataset: Dataset) -> Size:
    """The modern recipe's size, for networks that do not say their training size."""
    return dataset.recipes["modern"].size


def checkpoint_file(path: Path) -> Path:
    """A checkpoint, or the best one of a run's folder; SegbenchError if missing."""
    file = path / BEST if path.is_dir() else path
    if not file.is_file():
        raise SegbenchError(
            f"There is no file {file}; give --checkpoint one that exists, or a run's folder."
        )
    return file
