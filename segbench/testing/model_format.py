"""The contract of a format of model files."""

import json
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch.testing import assert_close

from segbench.errors import SegbenchError
from segbench.networks.model import SegmentationModel
from segbench.plugins import Registry
from segbench.testing.shared import check_name
from segbench.types import ModelFile, ModelFormat


def check_model_format(model_format: ModelFormat, file: ModelFile) -> None:
    """Check that the file has deterministic logits for the classes, and that noise is rejected."""
    check_name(model_format.name, model_format.summary)
    for suffix in model_format.suffixes:
        assert re.fullmatch(r"\.[a-z0-9]+", suffix), f"{suffix!r}: a suffix is a '.' and a-z, 0-9"
    assert file.path.suffix in model_format.suffixes, f"no suffix is {file.path.suffix!r}"
    Registry.load().runtime(model_format.runtime)
    networks = [model_format.load(file, None) for _ in range(2)]
    size, classes = networks[0].size, len(file.dataset.classes)
    models = [SegmentationModel(network, classes).eval() for network in networks]
    images = torch.rand(1, 3, *size) * 255
    with torch.no_grad():
        logits, again = (model(images) for model in models)
    shape = (1, classes, *size)
    assert logits.shape == shape, f"the logits are {tuple(logits.shape)}, not {shape}"
    assert logits.isfinite().all(), "the logits are not finite"
    assert_close(again, logits, msg="the file does not determine the logits")
    json.dumps(dict(networks[0].details), allow_nan=False)
    with tempfile.TemporaryDirectory() as folder:
        noise = Path(folder, f"noise{file.path.suffix}")
        noise.write_bytes(b"noise")
        try:
            model_format.load(replace(file, path=noise), None)
        except SegbenchError:
            return
    raise AssertionError("load must raise SegbenchError for a file of noise")
