"""Contract checks for each kind of plugin, to be called from a plugin's own tests.

Each check raises AssertionError with a message that says what is broken.
"""

from segbench.testing.backbone import check_backbone
from segbench.testing.command import check_command
from segbench.testing.dataset import check_dataset
from segbench.testing.model_format import check_model_format
from segbench.testing.network import check_network
from segbench.testing.runtime import check_runtime
from segbench.testing.tiny import TinyEncoder, tiny_network
from segbench.testing.tracker import check_tracker

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
