"""Checkpoints: a network's tensors as safetensors with its configuration inside."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.errors import SegbenchError
from segbench.files import draft_of
from segbench.inference.described import convention_of, described
from segbench.inference.weights import check_finite, check_floating, file_sha256, read_weights

if TYPE_CHECKING:
    from segbench.fcn8s import FCN8s
    from segbench.plugins import Registry

BEST = "best.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and what it was trained as."""

    model: "FCN8s"
    config: dict[str, Any]
    sha256: str
    parameters: int


def save_checkpoint(path: Path, model: "FCN8s", config: Mapping[str, Any]) -> None:
    """Write atomically; ``config`` names ``backbone``, ``dataset``, ``height`` and ``width``."""
    from safetensors.torch import save

    described = dict(config) | {
        "classes": model.classes,
        "decoder": model.decoder,
        "convention": asdict(model.convention),
    }
    state = {key: tensor.contiguous().cpu() for key, tensor in model.state_dict().items()}
    with draft_of(path) as draft:
        draft.write_bytes(save(state, metadata={"segbench": json.dumps(described)}))


def load_checkpoint(path: Path, registry: "Registry") -> Checkpoint:
    """Build the network of a checkpoint, the best of a run's folder; SegbenchError for others."""
    path = checkpoint_file(path)
    from segbench.fcn8s import FCN8s

    file = read_weights(path, option="--checkpoint")
    try:
        config = described(file.metadata.get("segbench", "{}"))
        convention = convention_of(config["convention"])
    except ValueError as error:
        raise SegbenchError(
            f"{path} holds weights but no segbench configuration ({error}); give --checkpoint a "
            "file that segbench run wrote."
        ) from error
    backbone = config["backbone"]
    encoder = registry.backbone(backbone).build(convention)
    model = FCN8s(encoder, config["classes"], convention, config["decoder"])
    check_floating(file.state, model, path.name)
    try:
        model.load_state_dict(dict(file.state))
    except RuntimeError as error:
        raise SegbenchError(
            f"{path} does not fit backbone {backbone!r} as it is now; train again or "
            "use the version that wrote it."
        ) from error
    check_finite(model, path.name)
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
