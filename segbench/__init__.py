"""segbench: which backbone, on which runtime, gives which accuracy at which latency?

``import segbench`` has the Python API, and all that a plugin needs::

    import segbench

    record = segbench.train("mobilenet", "streets")
    print(segbench.leaderboard(segbench.load_records("results")))

Modules are imported on first use, so torch and pandas are imported only when needed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segbench.api import evaluate as evaluate
    from segbench.api import export as export
    from segbench.api import leaderboard as leaderboard
    from segbench.api import load_records as load_records
    from segbench.api import measure as measure
    from segbench.api import registry as registry
    from segbench.api import score as score
    from segbench.api import train as train
    from segbench.errors import DataError as DataError
    from segbench.errors import MeasurementError as MeasurementError
    from segbench.errors import MissingDeviceError as MissingDeviceError
    from segbench.errors import SegbenchError as SegbenchError
    from segbench.hookspecs import hookimpl as hookimpl
    from segbench.plugins import Registry as Registry
    from segbench.progress import Reporter as Reporter
    from segbench.types import *  # noqa: F403

__version__ = "0.1.0"

MODULES = {
    "api": "evaluate export leaderboard load_records measure registry score train",
    "errors": "DataError MeasurementError MissingDeviceError SegbenchError",
    "hookspecs": "hookimpl",
    "plugins": "Registry",
    "progress": "Reporter",
}
"""The module each name comes from; all others come from ``segbench.types``."""


def __getattr__(name: str) -> Any:
    for module, names in MODULES.items():
        if name in names.split():
            return getattr(import_module(f"segbench.{module}"), name)
    types = import_module("segbench.types")
    if name in types.__all__:
        return getattr(types, name)
    raise AttributeError(f"module 'segbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    types = import_module("segbench.types").__all__
    return [*globals(), *" ".join(MODULES.values()).split(), *types]
