"""segbench: which backbone, on which runtime, gives which accuracy at which latency?

``import segbench`` gives the Python API, and all that a plugin needs::

    import segbench

    record = segbench.train("mobilenet", "streets")
    print(segbench.leaderboard(segbench.load_records("results")))

A module is imported when one of its names is first used, so torch and pandas only where needed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segbench.api import *  # noqa: F403
    from segbench.errors import *  # noqa: F403
    from segbench.hookspecs import *  # noqa: F403
    from segbench.plugins import *  # noqa: F403
    from segbench.progress import *  # noqa: F403
    from segbench.recipes import *  # noqa: F403
    from segbench.types import *  # noqa: F403

__version__ = "0.1.0"

MODULES = {
    "api": "evaluate export leaderboard load_records measure registry score train",
    "errors": "DataError MissingDeviceError SegbenchError",
    "hookspecs": "hookimpl",
    "plugins": "Registry",
    "progress": "Reporter",
    "recipes": "MODERN ORIGINAL",
    "types": "IGNORED Augmentation Backbone BackboneFamily Benchmark Calibration ClassMap Color "
    "Counts Dataset DescribedDataset Frame InputConvention Network Peak Recipe Runtime "
    "ScoreTable Session Setup Size",
}
"""The module that each name comes from."""


def __getattr__(name: str) -> Any:
    for module, names in MODULES.items():
        if name in names.split():
            return getattr(import_module(f"segbench.{module}"), name)
    raise AttributeError(f"module 'segbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *" ".join(MODULES.values()).split()]
