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
    from segbench.types import IGNORED as IGNORED
    from segbench.types import MODERN as MODERN
    from segbench.types import ORIGINAL as ORIGINAL
    from segbench.types import Augmentation as Augmentation
    from segbench.types import Backbone as Backbone
    from segbench.types import BackboneFamily as BackboneFamily
    from segbench.types import Benchmark as Benchmark
    from segbench.types import Calibration as Calibration
    from segbench.types import ClassMap as ClassMap
    from segbench.types import Color as Color
    from segbench.types import Command as Command
    from segbench.types import Counts as Counts
    from segbench.types import Dataset as Dataset
    from segbench.types import DescribedDataset as DescribedDataset
    from segbench.types import FileNetwork as FileNetwork
    from segbench.types import Frame as Frame
    from segbench.types import InputConvention as InputConvention
    from segbench.types import ModelFile as ModelFile
    from segbench.types import ModelFormat as ModelFormat
    from segbench.types import ModelOptions as ModelOptions
    from segbench.types import Network as Network
    from segbench.types import Peak as Peak
    from segbench.types import Recipe as Recipe
    from segbench.types import Runtime as Runtime
    from segbench.types import ScoreTable as ScoreTable
    from segbench.types import Session as Session
    from segbench.types import Setup as Setup
    from segbench.types import Size as Size
    from segbench.types import TrackedRun as TrackedRun
    from segbench.types import TrackedTraining as TrackedTraining
    from segbench.types import Tracker as Tracker

__version__ = "0.1.0"

MODULES = {
    "api": "evaluate export leaderboard load_records measure registry score train",
    "errors": "DataError MeasurementError MissingDeviceError SegbenchError",
    "hookspecs": "hookimpl",
    "plugins": "Registry",
    "progress": "Reporter",
    "types": "IGNORED MODERN ORIGINAL Augmentation Backbone BackboneFamily Benchmark Calibration "
    "ClassMap Color Command Counts Dataset DescribedDataset FileNetwork Frame InputConvention "
    "ModelFile ModelFormat ModelOptions Network Peak Recipe Runtime ScoreTable Session Setup Size "
    "TrackedRun TrackedTraining Tracker",
}
"""The module that each name comes from."""


def __getattr__(name: str) -> Any:
    for module, names in MODULES.items():
        if name in names.split():
            return getattr(import_module(f"segbench.{module}"), name)
    raise AttributeError(f"module 'segbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *" ".join(MODULES.values()).split()]
