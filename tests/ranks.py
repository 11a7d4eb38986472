"""Starts ranks as torchrun does, and is the program that they run: ``python -m tests.ranks``.

The store by which ranks find one another is the test's own, so no port has to be guessed.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from segbench.cli import main
from segbench.data.frames import Split, cached_split, labelled_frames
from segbench.errors import SegbenchError
from segbench.plugins import Registry
from segbench.progress import Reporter
from segbench.training import state
from segbench.training.fit import fit
from segbench.training.state import Epoch, Job
from segbench.training.validation import Validator
from segbench.training.world import ALONE, SMALL, World, joined
from segbench.types import Frame, InputConvention, Recipe
from segbench_plugins.commands.plugin import segbench_commands
from segbench_plugins.runtimes.pytorch.eager import segbench_runtimes
from tests.tiny import (
    CLASSES,
    MODERN,
    SIZE,
    TinyEncoder,
    fcn8s_over,
    tiny_backbone,
    tiny_dataset,
)

QUIET = Reporter(quiet=True)
REGISTRY = Registry.of(
    [tiny_backbone()], [tiny_dataset()], segbench_runtimes(), commands=segbench_commands()
)
BATCH_OF_FOUR = replace(MODERN, batch_size=4, optimizer="sgd", lr=0.1, epochs=2)
"""Of SGD, whose steps are proportional to gradients; Adam's first are as large for any."""
RECIPES = {
    "whole": BATCH_OF_FOUR,
    "again": BATCH_OF_FOUR,
    "uneven": replace(BATCH_OF_FOUR, batch_size=3),
    "averaged": replace(BATCH_OF_FOUR, ema=0.5, lovasz=1.0, optimizer="adamw", lr=0.01),
    "interrupted": BATCH_OF_FOUR,
    "own norms": BATCH_OF_FOUR,
}


class KilledError(Exception):
    """Stands for whatever ends a process."""


class SureEncoder(TinyEncoder):
    """Without dropout, and with a layer that nothing uses.

    ``normalised`` False leaves out the batch norms too.
    """

    def __init__(self, normalised: bool = True) -> None:
        super().__init__()
        self.to32 = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU())
        self.unused = nn.Linear(2, 2)
        if not normalised:
            self.to8[1], self.to16[1] = nn.Identity(), nn.Identity()


def tiny_split(root: Path, name: str) -> tuple[tuple[Frame, ...], Split]:
    """Its frames, and what is cached of them."""
    dataset = tiny_dataset()
    frames = labelled_frames(dataset, dataset.locate(root), name)
    return frames, cached_split(dataset, frames, SIZE, name, QUIET)


def tiny_validator(root: Path, world: World = ALONE) -> Validator:
    """On this rank's frames."""
    (frames, split), share = tiny_split(root, "val"), world.share
    cpu = torch.device("cpu")
    return Validator(tiny_dataset(), frames[share], split.images[share], cpu, "fp32", QUIET, world)


def fit_tiny(
    root: Path,
    name: str,
    recipe: Recipe,
    world: World = ALONE,
    micro_batch: int | None = None,
    normalised: bool = True,
    stop_in: int | None = None,
    resume: bool = False,
) -> list[Epoch]:
    """Train into ``root/name``; ``stop_in`` ends it in the validation of that epoch."""
    torch.manual_seed(0)
    model = fcn8s_over(SureEncoder(normalised), len(CLASSES), InputConvention())
    config = {"backbone": "tiny", "dataset": "tiny"}
    output = root / name
    output.mkdir(exist_ok=True)
    job = Job(recipe, 0, torch.device("cpu"), output, config, world, micro_batch)
    validator = tiny_validator(root, world)
    done = []

    def validate(model: Any) -> Any:
        done.append(model)
        if len(done) == stop_in:
            raise KilledError
        return validator(model)

    return fit(model, tiny_split(root, "train")[1], validate, job, QUIET, resume)


@dataclass(frozen=True)
class Ended:
    """How a rank ended."""

    code: int
    output: str


def run_ranks(commands: Sequence[Sequence[str]], folder: Path) -> list[Ended]:
    """Run ``python -m tests.ranks`` with these arguments, one rank each, in ``folder``."""
    from torch.distributed import TCPStore

    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    root = Path(__file__).parents[1]
    common = {
        **os.environ,
        "PYTHONPATH": str(root),
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "WORLD_SIZE": str(len(commands)),
        "LOCAL_WORLD_SIZE": str(len(commands)),
    }
    ranks = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.ranks", *command],
            cwd=folder,
            env=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank, command in enumerate(commands)
    ]
    outputs = [rank.communicate(timeout=200)[0] for rank in ranks]
    return [Ended(rank.returncode, output) for rank, output in zip(ranks, outputs, strict=True)]


def fail_in_the_second_epoch() -> None:
    """``segbench`` with the other arguments, on whose rank 1 the second validation fails."""
    score, done = Validator.__call__, []

    def scored_once(validator: Validator, model: Any) -> Any:
        done.append(model)
        if validator.world.rank == 1 and len(done) == 2:
            raise SegbenchError("The disk of rank 1 is full.")
        return score(validator, model)

    with patch.object(Validator, "__call__", scored_once):
        main(sys.argv[2:], obj=REGISTRY, prog_name="segbench")


def write_slowly() -> None:
    """``segbench`` with the other arguments, which takes a second to begin each checkpoint."""
    write = state.save_checkpoint

    def written_late(*arguments: Any) -> None:
        time.sleep(1)
        write(*arguments)

    with patch.object(state, "save_checkpoint", written_late):
        main(sys.argv[2:], obj=REGISTRY, prog_name="segbench")


def train_all(root: Path) -> None:
    """Each of ``RECIPES``; what the ranks have in common goes into a file."""
    with joined("cpu") as world:
        told: dict[str, Any] = {}
        for name, recipe in RECIPES.items():
            small = 0 if name == "own norms" else SMALL
            try:
                with patch("segbench.training.world.SMALL", small):
                    curve = fit_tiny(root, name, recipe, world, stop_in=2 * (name == "interrupted"))
            except KilledError:
                continue
            told[name] = [entry.train_loss for entry in curve]
            told["validation"] = curve[-1].val_loss
        told["two rounds"] = [
            entry.train_loss
            for entry in fit_tiny(root, "rounds", BATCH_OF_FOUR, world, 1, normalised=False)
        ]
        everyone = world.gather(told)
        total: Tensor = world.sum(torch.tensor([world.rank + 1]))
        if world.first:
            told |= {"same": all(each == told for each in everyone), "sum": int(total)}
            told |= {"first's": world.tell("mine"), "hosts": world.hosts}
            (root / "told.json").write_text(json.dumps(told))
        else:
            world.tell("yours")


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "train":
        train_all(Path(sys.argv[2]))
    elif sys.argv[1] == "full disk":
        fail_in_the_second_epoch()
    elif sys.argv[1] == "slow disk":
        write_slowly()
    else:
        main(obj=REGISTRY, prog_name="segbench")
