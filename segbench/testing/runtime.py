"""The contract of a runtime."""

import json
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from segbench.errors import SegbenchError
from segbench.networks.model import SegmentationModel
from segbench.plugins import Registry
from segbench.testing.shared import ODD_SIZE, SIZES, check_name
from segbench.testing.tiny import reference, tiny_network
from segbench.types import (
    Arithmetic,
    Calibration,
    ModelFile,
    ModelFormat,
    ModelOptions,
    Runtime,
    Setup,
)


def check_runtime(runtime: Runtime, tolerance: float = 1e-4, device: str = "auto") -> None:
    """Check that a session has the logits of eager FP32, at any size, and keeps the model as it is.

    The same holds for a model file of each format that it loads, if the format's own runtime can
    write one. If the runtime offers a ``peak``, it is a positive number of operations per second.
    ``tolerance`` bounds the root mean square of the error over that of the reference's logits:
    reduced precision needs a larger one.
    """
    check_name(runtime.name, runtime.summary)
    known = get_args(Arithmetic)
    assert runtime.precision in known, f"precision is {runtime.precision!r}, not one of {known}"
    model = tiny_network()
    for batch_size, (height, width) in ((2, SIZES[0]), (1, ODD_SIZE)):
        images = np.random.default_rng(0).integers(0, 256, (batch_size, height, width, 3), np.uint8)
        expected = reference(model, images)
        setup = Setup((height, width), batch_size, device)
        if runtime.calibrates:
            setup = replace(setup, calibration=Calibration("noise", ("0",), images))
        session = runtime.open(model, setup)
        assert session.engine, "engine must name what really runs"
        for query in (images, 255 - images, images):
            outputs = session.run(session.prepare(query))
            session.synchronize()
            logits = session.fetch(outputs)
        before = logits.copy()
        session.fetch(session.run(session.prepare(255 - images)))
        assert np.array_equal(logits, before), "the next run changes the array that fetch returned"
        json.dumps(dict(session.details), allow_nan=False)
        assert logits.dtype == np.float32, f"fetch returns {logits.dtype}, not float32"
        assert logits.shape == expected.shape, f"logits are {logits.shape}, not {expected.shape}"
        error = np.sqrt(np.mean((logits - expected) ** 2) / np.mean(expected**2))
        assert error <= tolerance, f"logits are {error:.2g} off eager FP32, over {tolerance:g}"
        assert np.array_equal(reference(model, images), expected), "open changed the model"
        labels = runtime.open(model, replace(setup, output="labels"))
        classes = labels.fetch(labels.run(labels.prepare(images)))
        assert classes.dtype == np.uint8, f"class maps are {classes.dtype}, not uint8"
        agreement = np.mean(classes == logits.argmax(1))
        assert agreement > 0.99, f"class maps agree with the logits on {agreement:.1%} of pixels"
    for model_format in Registry.load().model_formats:
        if model_format.runs_on(runtime):
            _check_model_file(model_format, runtime, setup, images, tolerance)
    if runtime.peak:
        peak = runtime.peak(Setup(SIZES[0], device=device))
        assert peak.precision, "peak must name its precision"
        assert peak.value_bytes > 0, f"peak says {peak.value_bytes} bytes per value"
        assert 0 < peak.flop_per_s < math.inf, (
            f"peak measures {peak.flop_per_s} operations per second"
        )
    try:
        runtime.open(model, replace(setup, device="no-such-device"))
    except SegbenchError:
        return
    raise AssertionError("open must raise SegbenchError for the device 'no-such-device'")


def _check_model_file(
    model_format: ModelFormat,
    runtime: Runtime,
    setup: Setup,
    images: NDArray[np.uint8],
    tolerance: float,
) -> None:
    """A network's file, written by the format's own runtime, has the network's logits."""
    registry = Registry.load()
    writer, suffix = registry.runtime(model_format.runtime), model_format.suffixes[0]
    if writer.export is None or suffix not in writer.export_suffixes:
        return
    dataset = registry.self_made_dataset()
    model = tiny_network(len(dataset.classes))
    plain = ModelOptions((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), scale=1.0, class_order="train-ids")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"network{suffix}"
        writer.export(model, Setup(setup.size, setup.batch_size), path)
        network = model_format.load(ModelFile(path, dataset, plain), setup.size)
    loaded = SegmentationModel(network, model.classes).eval()
    session = runtime.open(loaded, replace(setup, output="logits"))
    logits = session.fetch(session.run(session.prepare(images)))
    expected = reference(model, images)
    error = np.sqrt(np.mean((logits - expected) ** 2) / np.mean(expected**2))
    assert error <= tolerance, f"logits of a {suffix} file are {error:.2g} off, over {tolerance:g}"
