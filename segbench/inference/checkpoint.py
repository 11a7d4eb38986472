"""Checkpoints: a network's tensors as safetensors with its configuration inside."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.errors import SegbenchError
from segbench.inference.weights import check_floating, file_sha256, read_weights
from segbench.types import InputConvention

if TYPE_CHECKING:
    from segbench.fcn8s import FCN8s
    from segbench.plugins import Registry

BEST = "best.safetensors"
DESCRIBED = ("backbone", "classes", "decoder", "dataset", "height", "width")
"""What a checkpoint says of itself at the least, beside its input convention."""


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and what it was trained as."""

    model: "FCN8s"
    config: dict[str, Any]
    sha256: str
    parameters: int


def save_checkpoint(path: Path, model: "FCN8s", config: Mapping[str, Any]) -> None:
    """Write atomically; ``config`` names ``backbone``, ``dataset``, ``height`` and ``width``."""
    from safetensors.torch import save_file

    described = dict(config) | {
        "classes": model.classes,
        "decoder": model.decoder,
        "convention": asdict(model.convention),
    }
    state = {key: tensor.contiguous().cpu() for key, tensor in model.state_dict().items()}
    draft = path.with_name(path.name + ".tmp")
    save_file(state, draft, metadata={"segbench": json.dumps(described)})
    draft.replace(path)


def load_checkpoint(path: Path, registry: "Registry") -> Checkpoint:
    """Build the network of a checkpoint, the best of a run's folder; SegbenchError for others."""
    path = checkpoint_file(path)
    from segbench.fcn8s import FCN8s

    file = read_weights(path, option="--checkpoint")
    try:
        config = json.loads(file.metadata["segbench"])
        convention = InputConvention(**config["convention"])
        backbone, classes, decoder, *_ = (config[key] for key in DESCRIBED)
    except (KeyError, TypeError, ValueError) as error:
        raise SegbenchError(
            f"{path} holds weights but no segbench configuration; give --checkpoint a file that "
            "segbench run wrote."
        ) from error
    encoder = registry.backbone(backbone).build(convention)
    model = FCN8s(encoder, classes, convention, decoder)
    check_floating(file.state, model, path.name)
    try:
        model.load_state_dict(dict(file.state))
    except RuntimeError as error:
        raise SegbenchError(
            f"{path} does not fit backbone {backbone!r} as it is now; train again or "
            "use the version that wrote it."
        ) from error
    return Checkpoint(model.eval(), config, file_sha256(path), count_parameters(model))


def checkpoint_file(path: Path) -> Path:
    """A checkpoint, or the best of a run's folder; SegbenchError where it is not there."""
    file = path / BEST if path.is_dir() else path
    if not file.is_file():
        raise SegbenchError(
            f"There is no file {file}; give --checkpoint one that exists, or a run's folder."
        )
    return file


def count_parameters(model: "FCN8s") -> int:
    """Learned numbers, biases included."""
    return sum(parameter.numel() for parameter in model.parameters())
