"""Loading a user's ONNX file: its metadata and the user's options."""

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segbench.errors import SegbenchError, first_line, unknown_name
from segbench.text import by
from segbench.types import (
    FileNetwork,
    InputConvention,
    ModelFile,
    ModelOptions,
    Numbers,
    Size,
)

from .class_order import outputs_of

if TYPE_CHECKING:
    import onnx

    from .graph import Form

IMAGENET: tuple[Numbers, Numbers, float] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1 / 255)
"""Default mean, standard deviation and scale, if neither the file nor the user gives any."""
PLAIN: tuple[Numbers, Numbers, float] = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 1.0)
QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger")


def load_onnx(file: ModelFile, size: Size | None = None) -> FileNetwork:
    """The file's network at ``size``, by default the file's fixed size or the modern recipe's.

    Raises SegbenchError if the file does not have one image input, has no logits or class maps for
    the dataset, has another fixed size, or is already quantised or in half precision.
    """
    from onnx.helper import tensor_dtype_to_np_dtype

    from .graph import Form, as_new_as_needed, trimmed
    from .network import OnnxNetwork

    path, dataset = file.path, file.dataset
    graph, sha256 = _read(path)
    _refuse_low_precision(graph, path)
    graph = as_new_as_needed(graph, path)
    said, options = Said.of(graph), file.options
    images = _images(graph, path)
    last = (options.layout or said.layout or _layout(images, path)) == "nhwc"
    batch, fixed = _fixed(images, last)
    if fixed and size and size != fixed:
        raise SegbenchError(f"{path} takes images of {by(fixed)} only; leave --size out.")
    chosen = fixed or size or dataset.recipes["modern"].size
    bgr = (options.channels or said.channels) == "bgr"
    start = Form(images.name, "", (), bgr=bgr, images_last=last)
    form, notes = _with_output(graph, start, (batch or 1, chosen), said, file)
    graph = trimmed(graph, form)
    integers = tensor_dtype_to_np_dtype(images.type.tensor_type.elem_type).kind in "iu"
    convention, assumed = _convention(options, said, path, integers)

    def build(classes: int, convention: InputConvention) -> OnnxNetwork:
        return OnnxNetwork(graph, sha256, form, batch)

    return FileNetwork(
        name=path.name,
        summary="An ONNX file",
        build=build,
        convention=convention,
        size=chosen,
        sha256=sha256,
        details={
            "input": f"{'BGR' if bgr else 'RGB'}, mean {convention.mean}, std {convention.std}",
            "outputs": list(form.channels),
        },
        notes=tuple(note for note in (assumed, *notes) if note),
    )


def _read(path: Path) -> "tuple[onnx.ModelProto, str]":
    """The graph with its weights, and the SHA-256 of the file and its external weights."""
    import onnx
    from onnx.external_data_helper import (
        ExternalDataInfo,
        load_external_data_for_model,
        uses_external_data,
    )

    from segbench.inference.weights import file_sha256

    try:
        graph = onnx.load(path, load_external_data=False)
        external = filter(uses_external_data, graph.graph.initializer)
        places = {ExternalDataInfo(tensor).location for tensor in external}
        files = [path.parent / place for place in sorted(places)]
        lacking = [file for file in files if not file.is_file()]
        if not lacking:
            load_external_data_for_model(graph, str(path.parent))
    except Exception as error:  # a foreign or damaged file can raise any error
        raise SegbenchError(f"{path} is not a readable ONNX file ({first_line(error)}).") from error
    if lacking:
        raise SegbenchError(f"{path} has its weights in {lacking[0]}, which is missing; copy both.")
    return graph, file_sha256(path, *files)


@dataclass(frozen=True)
class Said:
    """A file's metadata; ``names`` are those of its outputs."""

    names: tuple[str, ...] = ()
    mean: Numbers | None = None
    std: Numbers | None = None
    scale: float | None = None
    channels: str | None = None
    layout: str | None = None

    @classmethod
    def of(cls, graph: "onnx.ModelProto") -> "Said":
        """Read metadata of segbench, Ultralytics, or with ``mean``, ``std`` and ``scale``."""
        entries = {entry.key.lower(): entry.value for entry in graph.metadata_props}
        names = _value(entries.get("classes", entries.get("names", "")))
        if isinstance(names, dict):
            names = _by_index(names)
        mean, std, scale = (_value(entries.get(key, "")) for key in ("mean", "std", "scale"))
        usual = PLAIN if "segbench_version" in entries else (None, None, None)
        if entries.get("author") == "Ultralytics":
            usual = (PLAIN[0], PLAIN[1], 1 / 255)
        return cls(
            tuple(map(str, names)) if isinstance(names, list | tuple) else (),
            _three(mean) or usual[0],
            _three(std) or usual[1],
            float(scale) if isinstance(scale, int | float) and scale > 0 else usual[2],
            entries.get("channels", "").lower() or None,
            entries.get("layout", "").lower() or None,
        )


def _by_index(names: dict[Any, Any]) -> list[Any] | None:
    """The values of {0: "road", ...}, whose keys may be text as in JSON; None for other keys."""
    by_key = {str(key): name for key, name in names.items()}
    keys = list(map(str, range(len(names))))
    return [by_key[key] for key in keys] if by_key.keys() == set(keys) else None


def _value(text: str) -> Any:
    """JSON, or a Python literal; None for other text."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError):
            continue
    return None


def _three(numbers: Any) -> Numbers | None:
    if not isinstance(numbers, list | tuple) or len(numbers) != 3:
        return None
    if not all(isinstance(each, int | float) for each in numbers):
        return None
    red, green, blue = map(float, numbers)
    return red, green, blue


def _refuse_low_precision(graph: "onnx.ModelProto", path: Path) -> None:
    from onnx import TensorProto

    half = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    kinds = {tensor.data_type for tensor in graph.graph.initializer if len(tensor.dims)}
    if kinds.intersection(half):
        what = "in 16 bits"
    elif any(node.op_type in QUANTISED for node in graph.graph.node):
        what = "quantised"
    elif not any(node.op_type in ("Conv", "MatMul", "Gemm") for node in graph.graph.node):
        raise SegbenchError(f"{path} has no convolutions or matrix products: it is not a network.")
    else:
        return
    raise SegbenchError(
        f"{path} is {what}; use an FP32 file, from which segbench makes FP16 and INT8."
    )


def _images(graph: "onnx.ModelProto", path: Path) -> "onnx.ValueInfoProto":
    weights = {tensor.name for tensor in graph.graph.initializer}
    inputs = [each for each in graph.graph.input if each.name not in weights]
    if len(inputs) != 1 or len(inputs[0].type.tensor_type.shape.dim) != 4:
        found = ", ".join(f"{each.name} {_shape(each)}" for each in inputs) or "none"
        raise SegbenchError(
            f"{path} has the inputs {found}; a network for --model takes one, images (N, 3, H, W) "
            "or (N, H, W, 3)."
        )
    return inputs[0]


def _axes(tensor: "onnx.ValueInfoProto") -> list[int | None]:
    """A tensor's axis lengths, None for dynamic ones."""
    axes = tensor.type.tensor_type.shape.dim
    return [axis.dim_value if axis.dim_value > 0 else None for axis in axes]


def _shape(tensor: "onnx.ValueInfoProto") -> str:
    return f"({', '.join('?' if axis is None else str(axis) for axis in _axes(tensor))})"


def _layout(images: "onnx.ValueInfoProto", path: Path) -> str:
    _, second, _, last = _axes(images)
    if 3 in (second, last):
        return "nchw" if second == 3 else "nhwc"
    if None in (second, last):
        return "nchw"
    raise SegbenchError(f"{path} takes {_shape(images)}, which are not images with three channels.")


def _fixed(images: "onnx.ValueInfoProto", last: bool) -> tuple[int | None, Size | None]:
    """The batch and size of the graph, None if dynamic."""
    batch, *rest = _axes(images)
    height, width = rest[:2] if last else rest[1:]
    return batch, None if height is None or width is None else (height, width)


def _with_output(
    graph: "onnx.ModelProto",
    form: "Form",
    query: tuple[int, Size],
    said: Said,
    file: ModelFile,
) -> "tuple[Form, tuple[str | None, ...]]":
    """The form with its output, the first that fits, and notes on assumptions."""
    from .graph import output_shapes, undecided

    names = [each.name for each in graph.graph.output]
    if file.options.output:
        if file.options.output not in names:
            raise SegbenchError(unknown_name("output", file.options.output, names))
        names = [file.options.output]
    sources = [undecided(graph, name) for name in names]
    found = output_shapes(graph, form, sources, *query)
    for name, source, (kind, shape) in zip(names, sources, found, strict=True):
        chosen = _note_on_choice(name, names)
        whole = kind.kind in "iu"
        if whole and (len(shape) == 3 or (len(shape) == 4 and 1 in (shape[1], shape[3]))):
            last = len(shape) == 4 and shape[1] != 1
            classes, note = outputs_of(file, None, said.names)
            labels = replace(form, output=source, labels=True, logits_last=last)
            return replace(labels, channels=classes), (chosen, note)
        if not whole and len(shape) == 4:
            last = _channels_are_last(shape, query[1], form.images_last)
            classes, note = outputs_of(file, shape[3 if last else 1], said.names)
            logits = replace(form, output=source, channels=classes, logits_last=last)
            return logits, (chosen, note)
    shapes = ", ".join(f"{n} {shape}" for n, (_, shape) in zip(names, found, strict=True))
    raise SegbenchError(
        f"{file.path} has the outputs {shapes}; logits (N, C, h, w) or class maps (N, h, w) are "
        "needed."
    )


def _note_on_choice(name: str, names: Sequence[str]) -> str | None:
    if len(names) < 2:
        return None
    return f"it has the outputs {', '.join(names)}; {name} is used (--model-output overrides)"


def _channels_are_last(shape: Sequence[int], size: Size, usual: bool) -> bool:
    """Whether logits are (N, h, w, C): h and w have the aspect ratio of the images."""

    def proportional(height: int, width: int) -> bool:
        return abs(height * size[1] - width * size[0]) <= max(size)

    first, last = proportional(*shape[2:]), proportional(*shape[1:3])
    return last if first != last else usual


def _convention(
    options: ModelOptions, said: Said, path: Path, integers: bool
) -> tuple[InputConvention, str | None]:
    """The normalisation of images in 0..255, and a note if it was assumed.

    An input of ``integers`` takes the images as they are; SegbenchError for anything else.
    """
    given = [(getattr(options, n), getattr(said, n)) for n in ("mean", "std", "scale")]
    told = any(each is not None for pair in given for each in pair)
    usual: Sequence[Any] = PLAIN if told or integers else IMAGENET
    mean, std, scale = (
        next(each for each in (*pair, default) if each is not None)
        for pair, default in zip(given, usual, strict=True)
    )
    if 0 in std:
        raise SegbenchError(f"{path}: a standard deviation is 0; give another --std.")
    if integers and (mean, std, scale) != PLAIN:
        raise SegbenchError(
            f"{path} takes images of integers in 0..255, which cannot be normalised; leave --mean, "
            "--std and --scale out."
        )
    note = "it names no normalisation; ImageNet's is assumed (change it by --mean, --std, --scale)"
    convention = InputConvention(
        tuple(each / scale for each in mean), tuple(each / scale for each in std)
    )
    return convention, None if told or integers else note
