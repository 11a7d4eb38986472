"""Where a trained network comes from: a checkpoint, a weights file, or a model file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segbench.errors import OptionError, SegbenchError
from segbench.inference.checkpoint import checkpoint_file, load_checkpoint, load_weights
from segbench.inference.networks import LoadedNetwork
from segbench.inference.weights import file_sha256, weights_file
from segbench.types import Dataset, ModelFile, ModelOptions, Network, Runtime, Size

if TYPE_CHECKING:
    from segbench.plugins import Registry


@dataclass(frozen=True)
class NetworkWeights:
    """A network with a weights file for the classes of a dataset."""

    network: Network
    weights: Path
    dataset: Dataset


Source = Path | NetworkWeights | ModelFile
"""A path is a checkpoint or a run's folder."""


def chosen_source(
    registry: "Registry",
    dataset: str | None,
    checkpoint: Path | None = None,
    network: str | None = None,
    weights: Path | None = None,
    model: Path | None = None,
    model_options: ModelOptions | None = None,
) -> Source:
    """The named source; OptionError for none, several, or an incomplete one.

    ``dataset`` defines the classes of ``weights`` and of the file ``model``.
    """
    if sum(map(bool, (checkpoint, network or weights, model))) != 1 or (
        bool(network) != bool(weights)
    ):
        raise OptionError("Give --checkpoint, or --network with --weights, or --model.")
    check_options(model, model_options)
    if checkpoint:
        return checkpoint
    if dataset is None:
        raise OptionError("--weights and --model need --dataset, which defines the classes.")
    if network and weights:
        return NetworkWeights(registry.network(network), weights, registry.dataset(dataset))
    assert model
    registry.model_format(model)  # PluginError before anything takes time
    return ModelFile(model, registry.dataset(dataset), model_options or ModelOptions())


def check_options(model: Path | None, options: ModelOptions | None) -> None:
    """Raise OptionError for model file options without a model file."""
    if model is None and options not in (None, ModelOptions()):
        raise OptionError("--mean to --model-output describe a model file and need --model.")


def default_runtime(registry: "Registry", model: Path | None) -> str:
    """PyTorch in FP32, or the one that the format of the file ``model`` names."""
    return registry.model_format(model).runtime if model else "eager"


def source_file(source: Source) -> Path:
    """Its file; SegbenchError if it does not exist. Imports nothing heavy."""
    if isinstance(source, Path):
        return checkpoint_file(source)
    if isinstance(source, ModelFile):
        return weights_file(source.path, "--model")
    return weights_file(source.weights)


def load_source(source: Source, registry: "Registry", size: Size | None = None) -> LoadedNetwork:
    """The network at ``size``, by default its training size or that of its file."""
    if isinstance(source, ModelFile):
        return load_model_file(source, registry, size)
    if isinstance(source, NetworkWeights):
        return load_weights(source.network, source.weights, source.dataset, size)
    return load_checkpoint(source, registry, size)


def load_model_file(
    file: ModelFile, registry: "Registry", size: Size | None = None
) -> LoadedNetwork:
    """The file's network at ``size``, by default its own; SegbenchError if it does not fit."""
    from segbench.networks.model import SegmentationModel

    path, kind = source_file(file), registry.model_format(file.path)
    network = kind.load(file, size)
    sha256 = network.sha256 or file_sha256(path)
    config = {
        "dataset": file.dataset.name,
        **network.config,
        "weights": f"{path.name}@{sha256[:12]}",
        **network.details,
    }
    model = SegmentationModel(network, len(file.dataset.classes)).eval()
    return LoadedNetwork(model, network.size, config, sha256, kind)


def check_loads(runtime: Runtime, network: LoadedNetwork, registry: "Registry") -> None:
    """Raise SegbenchError if the runtime cannot run model files of this format."""
    if (kind := network.format) and not kind.runs_on(runtime):
        able = ", ".join(each.name for each in registry.runtimes if kind.runs_on(each))
        raise SegbenchError(
            f"The runtime {runtime.name!r} cannot run {kind.suffixes[0]} files; these can: {able}."
        )
