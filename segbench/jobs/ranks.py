"""Check that all ranks were started for the same job."""

import platform
from collections.abc import Mapping
from typing import Any

from segbench.errors import SegbenchError
from segbench.jobs.plan import RunOptions
from segbench.plugins import Registry, installed_version
from segbench.records.provenance import source_state
from segbench.training.changes import changes
from segbench.training.world import World


def check_ranks(
    world: World, options: RunOptions, config: Mapping[str, Any], frames: int, registry: Registry
) -> None:
    """Raise SegbenchError if the ranks cannot train together.

    Rank 0 reports the difference and exits, which ends the others.
    """
    if world.size == 1:
        return
    batch_size = min(options.recipe.batch_size, frames)
    if batch_size < world.size:
        raise SegbenchError(
            f"A batch of {batch_size} images cannot be split over {world.size} ranks; use at most "
            f"{batch_size} ranks, or train on larger batches and more frames."
        )
    commit, dirty = source_state()
    item = options.network.plugin
    facts = {
        **config,
        "resume": options.resume,
        "force": options.force,
        "accumulate": options.recipe.accumulate,
        "commit": commit,
        "changed files": dirty,
        "python": platform.python_version(),
        **{name: installed_version(name) for name in ("segbench", "numpy", *item.requires)},
        f"plugin of {item.name}": " ".join(registry.origin(item)),
    }
    first, *others = world.gather(facts)
    for rank, theirs in enumerate(others, 1):
        if world.first and first != theirs:
            differ = changes(first, theirs, "{name} is {old} there, {new} here")
            raise SegbenchError(
                f"Rank {rank} was not started like rank 0: {'; '.join(differ)}; give all "
                "ranks the same options and versions."
            )
