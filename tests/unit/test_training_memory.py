"""``--batch-size auto``: as many images at once as fit the memory."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from segbench.data.frames import Split
from segbench.errors import SegbenchError
from segbench.training import memory
from segbench.training.memory import images_in_memory, largest_micro_batch
from segbench.training.state import Job
from segbench.training.world import World
from segbench.types import InputConvention
from tests.ranks import BATCH_OF_FOUR, tiny_split
from tests.tiny import CLASSES, TinyEncoder, fcn8s_over, write_tiny


@pytest.fixture
def split(tmp_path: Path) -> Split:
    return tiny_split(write_tiny(tmp_path), "train")[1]


def largest(split: Split, world: World | None = None) -> int:
    model = fcn8s_over(TinyEncoder(), len(CLASSES), InputConvention())
    job = Job(BATCH_OF_FOUR, 0, torch.device("cpu"), Path(), {}, world or World())
    return largest_micro_batch(model, split, job)


@pytest.mark.parametrize(("fit", "micro_batch"), [(9, 4), (4, 4), (3, 2), (2, 2), (1, 1)])
def test_the_batch_is_halved_until_it_fits(
    split: Split, monkeypatch: pytest.MonkeyPatch, fit: int, micro_batch: int
) -> None:
    monkeypatch.setattr(memory, "images_in_memory", lambda *_: fit)
    assert largest(split) == micro_batch


def test_ranks_with_unequal_parts_never_take_more_at_once_than_fit(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a batch of 4, three ranks have 2, 1 and 1 images, so none can take its part in rounds."""
    monkeypatch.setattr(memory, "images_in_memory", lambda *_: 2)
    monkeypatch.setattr(World, "gather", lambda _, found: [found])
    assert largest(split, World(0, 3)) == 2
    monkeypatch.setattr(memory, "images_in_memory", lambda *_: 1)
    with pytest.raises(SegbenchError, match="Not even 2 images of 32x64 at once fit in memory"):
        largest(split, World(0, 3))


def test_where_nothing_fits_that_is_said(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    with pytest.raises(SegbenchError, match="Not even one image of 32x64 at once fit in memory"):
        largest(split)


def test_the_estimate_is_proportional_to_the_memory(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a rank: two on a host have half each. Nothing of the model or the generators changes."""
    model = fcn8s_over(TinyEncoder(), len(CLASSES), InputConvention())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = {}
    for ranks in (1, 2):
        job = Job(BATCH_OF_FOUR, 0, torch.device("cpu"), Path(), {}, World(0, ranks))
        for gigabytes in (1, 2):
            monkeypatch.setattr(memory, "available_memory", lambda g=gigabytes: g * 10**9)
            found[ranks, gigabytes] = images_in_memory(model, split, job)
    assert found[1, 2] == pytest.approx(2 * found[1, 1], rel=0.01)
    assert found[1, 1] == pytest.approx(found[2, 2], rel=0.01)
    assert found[1, 1] < 1e9 / (4 * 3 * 32 * 64), "the images themselves have room"
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    monkeypatch.setattr(memory, "available_memory", lambda: 10**12)
    drawn = torch.random.get_rng_state()
    largest_micro_batch(model, split, replace(job, world=World()))
    assert torch.equal(drawn, torch.random.get_rng_state())


def test_a_step_that_runs_out_of_memory_does_not_fit(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a GPU says it."""
    loss = memory._loss

    def limited(model: object, split: Split, job: Job, count: int) -> torch.Tensor:
        if count > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return loss(model, split, job, count)

    monkeypatch.setattr(memory, "_loss", limited)
    model = fcn8s_over(TinyEncoder(), len(CLASSES), InputConvention())
    job = Job(BATCH_OF_FOUR, 0, torch.device("cpu"), Path(), {})
    assert [memory._fits(model, split, job, count) for count in (2, 3, 4)] == [True, False, False]
    monkeypatch.setattr(memory, "_loss", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        memory._fits(model, split, job, 1)


@pytest.mark.parametrize(
    ("groups", "files", "left"),
    [
        ("0::/\n", {}, None),
        ("0::/a\n", {"a/memory.max": "max\n", "a/memory.current": "5", "a/memory.stat": ""}, None),
        (
            "0::/a/b\n",
            {
                **{"a/memory.max": "9000", "a/memory.current": "8000"},
                **{"a/memory.stat": "anon 1\ninactive_file 500\nactive_file 100\n"},
                **{"a/b/memory.max": "max", "a/b/memory.current": "1"},
            },
            1500,
        ),
        (
            "4:memory:/x\n",
            {
                **{"memory/x/memory.limit_in_bytes": "900"},
                **{"memory/x/memory.usage_in_bytes": "800"},
                **{"memory/x/memory.stat": "inactive_file 1\ntotal_inactive_file 20\n"},
            },
            120,
        ),
        (
            "0::/\n",
            {"memory.max": "10", "memory.current": "20", "memory.stat": "inactive_file 5"},
            0,
        ),
    ],
)
def test_what_the_container_leaves(
    tmp_path: Path, groups: str, files: dict[str, str], left: int | None
) -> None:
    own, mount = tmp_path / "groups", tmp_path / "mount"
    own.write_text(groups)
    for name, text in files.items():
        (mount / name).parent.mkdir(parents=True, exist_ok=True)
        (mount / name).write_text(text)
    spare = memory.available_memory(own, mount)
    assert spare == left if left is not None else spare > 10**6
