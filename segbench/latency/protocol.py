"""How a network is timed."""

from dataclasses import dataclass, field
from pathlib import Path

from segbench.device import cpu_threads
from segbench.inference.networks import LoadedNetwork
from segbench.latency.timing import Scenario, Scope, session_output
from segbench.types import Setup


@dataclass(frozen=True)
class Protocol:
    """How a network is timed, whatever the network and the runtime.

    All engines get the same number of CPU ``threads``. On a machine that is not steady, up to
    ``attempts`` measurements are made.
    """

    batch_size: int = 1
    device: str = "auto"
    scope: Scope = "model"
    scenario: Scenario = "single-stream"
    min_seconds: float = 10.0
    attempts: int = 1
    threads: int = field(default_factory=cpu_threads)
    data_root: Path = Path("data")
    keep_float: tuple[str, ...] | None = None

    def setup(self, network: LoadedNetwork) -> Setup:
        """What each runtime opens ``network`` with."""
        return Setup(
            network.size, self.batch_size, self.device, session_output(self.scope), self.threads
        )
