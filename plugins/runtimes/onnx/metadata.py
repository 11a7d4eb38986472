"""The description in an exported ONNX file's ``metadata_props``.

ONNX Runtime has the same strings in ``session.get_modelmeta().custom_metadata_map``.
"""

import json
from dataclasses import asdict
from pathlib import Path

import onnx
from onnx import helper

from segbench.errors import SegbenchError
from segbench.files import draft_of
from segbench.types import Description


def write_description(path: Path, description: Description) -> None:
    """Add the description to the ONNX file at ``path``; tuples become JSON."""
    model = onnx.load(path)
    properties = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in asdict(description).items()
    }
    helper.set_model_props(model, properties)
    with draft_of(path) as draft:
        onnx.save(model, draft)


def read_description(path: Path) -> Description:
    """The description in the ONNX file at ``path``; SegbenchError if there is none."""
    try:
        model = onnx.load(path, load_external_data=False)
        properties = {entry.key: entry.value for entry in model.metadata_props}
        classes, palette = (json.loads(properties.pop(name)) for name in ("classes", "palette"))
        colors = tuple((red, green, blue) for red, green, blue in palette)
        return Description(classes=tuple(classes), palette=colors, **properties)
    except Exception as error:  # a foreign or damaged file can raise any error
        raise SegbenchError(
            f"{path} has no segbench description ({type(error).__name__}); export it again."
        ) from error
