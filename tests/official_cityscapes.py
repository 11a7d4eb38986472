"""The official Cityscapes tool, as an oracle."""

import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np


def official_tool() -> ModuleType:
    """``cityscapesscripts``, which needs a NumPy function that NumPy 2.4 has dropped."""
    np.in1d = np.isin
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tool = import_module("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
    tool.args.quiet = True
    tool.args.JSONOutput = False
    return tool


def official_score(predictions: Sequence[Path], labels: Sequence[Path]) -> dict[str, Any]:
    """What the tool gives for these files, in pairs."""
    tool = official_tool()
    return tool.evaluateImgLists(list(map(str, predictions)), list(map(str, labels)), tool.args)
