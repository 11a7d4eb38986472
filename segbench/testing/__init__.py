"""Contract checks for each kind of plugin, to be called from a plugin's own tests.

Each check raises AssertionError with a message that says what is broken.
"""

from .basic import TinyEncoder, tiny_network
from .commands import check_command
from .datasets import check_dataset
from .networks import check_backbone, check_network
from .runtimes import check_model_format, check_runtime
from .trackers import check_tracker

__all__ = [
    "TinyEncoder",
    "check_backbone",
    "check_command",
    "check_dataset",
    "check_model_format",
    "check_network",
    "check_runtime",
    "check_tracker",
    "tiny_network",
]
