"""The processes that train one network together: started by torchrun, or only this one."""

import gc
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from segbench.device import resolve_device
from segbench.errors import InterruptedRun, OptionError, SegbenchError
from segbench.types import Size

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.distributed import Store
    from torch.nn.parallel import DistributedDataParallel

    from segbench.networks.model import SegmentationModel

T = TypeVar("T")
PATIENCE = timedelta(hours=1)
"""How long a rank waits for another, which may be decoding its host's images."""
LAST_WORDS = timedelta(seconds=10)
SMALL = 16
"""Below this many images batch norm's statistics are too noisy (Wu and He, "Group Normalization",
ECCV 2018, figure 1), and are computed over all ranks."""


@dataclass(frozen=True)
class World:
    """This process is ``rank`` of ``size``, on a number of ``hosts``.

    ``backend`` is torch.distributed's, "gloo" or "nccl". With one rank, methods do nothing.
    """

    rank: int = 0
    size: int = 1
    hosts: int = 1
    backend: str | None = None

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which writes and prints."""
        return self.rank == 0

    def described(self) -> dict[str, Any]:
        """JSON values for a record, without host names."""
        return {"ranks": self.size, "hosts": self.hosts, "backend": self.backend}

    @property
    def share(self) -> slice:
        """This rank's frames of a split: every ``size``-th one."""
        return slice(self.rank, None, self.size)

    def rows(self, count: int) -> slice:
        """This rank's rows of a batch of ``count``."""
        return even_parts(count, self.size)[self.rank]

    def sum(self, tensor: "Tensor") -> "Tensor":
        """Sum the ranks' tensors, in place."""
        if self.size > 1:
            import torch.distributed

            torch.distributed.all_reduce(tensor)
        return tensor

    def gather(self, value: T) -> list[T]:
        """Each rank's value, in order, on every rank."""
        if self.size == 1:
            return [value]
        import torch.distributed

        values: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(values, value)
        return values

    def tell(self, value: T) -> T:
        """Rank 0's value, on every rank."""
        if self.size == 1:
            return value
        import torch.distributed

        values = [value]
        torch.distributed.broadcast_object_list(values)
        return values[0]

    def parallel(
        self, model: "SegmentationModel", images: int, size: Size
    ) -> "DistributedDataParallel | None":
        """The wrapper of ``model`` that sums gradients over ranks; None with one rank.

        ``images`` of ``size`` is what a rank sees at once. If there are few, the model's batch
        norms take their statistics over all ranks.
        """
        if self.size == 1:
            return None
        from torch.nn.parallel import DistributedDataParallel

        from segbench.training.batch_norm import over_all_ranks

        trained = over_all_ranks(model) if images < SMALL else model
        return DistributedDataParallel(
            trained,
            gradient_as_bucket_view=True,
            find_unused_parameters=has_unused_weights(model, size),
        )

    def align(self, *modules: "nn.Module | None") -> None:
        """Copy rank 0's buffers to all ranks: without a shared batch norm they differ."""
        if self.size == 1:
            return
        import torch.distributed

        for module in modules:
            for buffer in module.buffers() if module is not None else ():
                torch.distributed.broadcast(buffer, 0)


ALONE = World()


def even_parts(count: int, parts: int) -> list[slice]:
    """``count`` rows in ``parts`` parts, whose sizes differ by at most one."""
    return [slice(count * i // parts, count * (i + 1) // parts) for i in range(parts)]


def has_unused_weights(model: "SegmentationModel", size: Size) -> bool:
    """Whether some weights do not affect the logits, as in timm's HRNet."""
    import torch

    model.eval()
    weights = list(model.parameters())
    logits = model(torch.zeros(1, 3, *size, device=weights[0].device))
    gradients = torch.autograd.grad(logits.sum(), weights, allow_unused=True)
    return any(gradient is None for gradient in gradients)


def started_by_torchrun() -> bool:
    """Whether this process is one of several that torchrun started."""
    return "LOCAL_RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def joined(device: str) -> Iterator[World]:
    """The world of this process; ``device`` is the value of ``--device``.

    On GPUs each rank uses the one with its local rank. An error on one rank ends all, and is
    printed once, by the rank that failed first.
    """
    if not started_by_torchrun():
        yield ALONE
        return
    import torch
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    nccl = device != "cpu" and torch.cuda.is_available()
    store, rank, size = next(rendezvous("env://"))
    words = distributed.PrefixStore("segbench", store)
    try:
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if nccl else "gloo",
            store=store,
            rank=rank,
            world_size=size,
            timeout=PATIENCE,
        )
        _take_gpu(device)
        world = World(rank, size, backend="nccl" if nccl else "gloo")
        hosts = len(set(world.gather(socket.gethostname())))
        yield World(rank, size, hosts, world.backend)
    except (Exception, KeyboardInterrupt) as error:
        _end(error, rank, words)
    gc.collect()  # without it 4 of 10 rounds of our tests aborted as Python ended; why is not known
    distributed.destroy_process_group()


def _take_gpu(device: str) -> None:
    """Make this rank's GPU the one that "cuda" means."""
    import torch

    chosen = resolve_device(device)
    if chosen.type != "cuda":
        return
    if chosen.index is not None:
        raise OptionError(f"--device {device} is one GPU for all ranks; use --device cuda.")
    ranks, gpus = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if ranks > gpus:
        raise SegbenchError(
            f"torchrun started {ranks} ranks on a host with {gpus} GPUs; start one for each GPU, "
            "or give --device cpu."
        )
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))


def _end(error: BaseException, rank: int, words: "Store") -> NoReturn:
    """End this rank: with its error if it failed first, silently otherwise."""
    failed_before = _failed_before(words)
    if failed_before:
        os._exit(1)  # gloo's threads may abort an orderly end once rank 0 is gone
    if lost_another_rank(error):
        error = SegbenchError(
            "Another rank has ended, or cannot be reached; continue with the same options and "
            "--resume; the number of ranks may change."
        )
    if not isinstance(error, click.ClickException):
        raise error
    if rank > 0 and not isinstance(error, InterruptedRun):
        click.echo(f"Rank {rank} on {socket.gethostname()}:", err=True)
    error.show()
    words.set("said", "")
    raise SystemExit(error.exit_code) from error


def _failed_before(words: "Store") -> bool:
    """Whether another rank failed first and printed its error."""
    try:
        if words.add("failed", 1) == 1:
            return False
        words.wait(["said"], LAST_WORDS)
    except RuntimeError:  # torchrun has ended, or the other rank set no key
        pass
    return True


def lost_another_rank(error: BaseException) -> bool:
    """Whether a collective failed because another rank is gone; gloo's errors have no type."""
    from torch.distributed import DistError

    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error)
    )
