"""Where a trained network comes from: a checkpoint, a file of weights, or an ONNX file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segbench.errors import OptionError, SegbenchError
from segbench.inference.networks import FileNetwork, LoadedNetwork
from segbench.inference.onnx_file import OnnxFile, OnnxOptions
from segbench.types import Dataset, Network, Runtime, Size

if TYPE_CHECKING:
    from segbench.plugins import Registry


@dataclass(frozen=True)
class NetworkWeights:
    """A network with a file of weights for the classes of a dataset."""

    network: Network
    weights: Path
    dataset: Dataset


Source = Path | NetworkWeights | OnnxFile
"""A path is that of a checkpoint, or of a run's folder."""


def chosen_source(
    registry: "Registry",
    dataset: str | None,
    checkpoint: Path | None = None,
    network: str | None = None,
    weights: Path | None = None,
    model: Path | None = None,
    onnx: OnnxOptions | None = None,
) -> Source:
    """The one source that is named; OptionError for none, for two, and for half of one.

    ``dataset`` names the classes of ``weights`` and of the ONNX file ``model``.
    """
    if sum(map(bool, (checkpoint, network or weights, model))) != 1 or (
        bool(network) != bool(weights)
    ):
        raise OptionError("Give --checkpoint, or --network with --weights, or --model.")
    check_onnx(model, onnx)
    if checkpoint:
        return checkpoint
    if dataset is None:
        raise OptionError("--weights and --model go with --dataset, which names the classes.")
    if network and weights:
        return NetworkWeights(registry.network(network), weights, registry.dataset(dataset))
    assert model
    return OnnxFile(model, registry.dataset(dataset), onnx or OnnxOptions())


def check_onnx(model: Path | None, onnx: OnnxOptions | None) -> None:
    """Raise OptionError for options of ONNX files where there is none."""
    if model is None and onnx not in (None, OnnxOptions()):
        raise OptionError("--mean to --model-output describe an ONNX file; give --model too.")


def default_runtime(model: Path | None) -> str:
    """PyTorch in FP32, or for an ONNX file the engine that loads it as it is."""
    return "onnx" if model else "eager"


def source_file(source: Source) -> Path:
    """Its file; SegbenchError where that does not exist. Nothing heavy is imported."""
    from segbench.inference.checkpoint import checkpoint_file

    if isinstance(source, Path):
        return checkpoint_file(source)
    path, option = (
        (source.path, "--model") if isinstance(source, OnnxFile) else (source.weights, "--weights")
    )
    if not path.is_file():
        raise SegbenchError(f"There is no file {path}; give {option} one that exists.")
    return path


def check_source(source: Source) -> None:
    """Raise SegbenchError where its file does not exist."""
    source_file(source)


def load_source(source: Source, registry: "Registry", size: Size | None = None) -> LoadedNetwork:
    """The network at ``size``, by default the one that it was trained at or is made for."""
    from segbench.inference.checkpoint import load_checkpoint, load_weights

    if isinstance(source, OnnxFile):
        from segbench.inference.onnx_file import load_onnx

        return load_onnx(source, size)
    if isinstance(source, NetworkWeights):
        return load_weights(source.network, source.weights, source.dataset, size)
    return load_checkpoint(source, registry, size)


def check_loads(runtime: Runtime, network: LoadedNetwork, registry: "Registry") -> None:
    """Raise SegbenchError where the network is an ONNX file and the runtime loads none."""
    if isinstance(network.model.network, FileNetwork) and not runtime.loads_onnx:
        able = ", ".join(each.name for each in registry.runtimes if each.loads_onnx)
        raise SegbenchError(f"The runtime {runtime.name!r} runs no ONNX files; these do: {able}.")
