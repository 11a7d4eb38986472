"""The types of segbench: what plugins offer and what the harness passes around.

Sizes are (height, width) in pixels everywhere. Images are uint8 RGB of shape (H, W, 3). A *class
map* is uint8 of shape (H, W) and holds indices into ``Dataset.classes``; in ground truth
``IGNORED`` marks the pixels that no score counts.
"""

from segbench.networks.network import (
    DECODERS,
    Backbone,
    BackboneFamily,
    Encoder,
    InputConvention,
    Network,
)
from segbench.types.basic import IGNORED, Arithmetic, ClassMap, Color, Counts, Image, Size
from segbench.types.command import Command
from segbench.types.dataset import (
    Benchmark,
    Configurable,
    Dataset,
    DescribedDataset,
    Doubtful,
    Frame,
    ScoreTable,
    Submittable,
    Tabular,
)
from segbench.types.model_format import (
    CLASS_ORDERS,
    CountsWork,
    FileNetwork,
    ModelFile,
    ModelFormat,
    ModelOptions,
    Numbers,
)
from segbench.types.recipe import MODERN, ORIGINAL, Augmentation, Recipe
from segbench.types.runtime import Calibration, Description, Peak, Runtime, Session, Setup
from segbench.types.tracker import TrackedRun, TrackedTraining, Tracker

__all__ = [
    "CLASS_ORDERS",
    "DECODERS",
    "IGNORED",
    "MODERN",
    "ORIGINAL",
    "Arithmetic",
    "Augmentation",
    "Backbone",
    "BackboneFamily",
    "Benchmark",
    "Calibration",
    "ClassMap",
    "Color",
    "Command",
    "Configurable",
    "Counts",
    "CountsWork",
    "Dataset",
    "DescribedDataset",
    "Description",
    "Doubtful",
    "Encoder",
    "FileNetwork",
    "Frame",
    "Image",
    "InputConvention",
    "ModelFile",
    "ModelFormat",
    "ModelOptions",
    "Network",
    "Numbers",
    "Peak",
    "Recipe",
    "Runtime",
    "ScoreTable",
    "Session",
    "Setup",
    "Size",
    "Submittable",
    "Tabular",
    "TrackedRun",
    "TrackedTraining",
    "Tracker",
]
