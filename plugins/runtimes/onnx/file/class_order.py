"""Matching a model file's outputs to the dataset's classes."""

from collections.abc import Sequence
from pathlib import Path

from segbench.errors import SegbenchError
from segbench.files import read_text
from segbench.types import CLASS_ORDERS, Dataset, ModelFile


def outputs_of(
    file: ModelFile, count: int | None, names: Sequence[str] = ()
) -> tuple[tuple[int, ...], str | None]:
    """For each class its output among ``count``, and a note on what was assumed.

    ``names`` are the output names in the file's metadata. For class maps ``count`` is None, and
    outputs are their values.
    """
    dataset, order, path = file.dataset, file.options.class_order, file.path
    ids, classes = dataset.benchmark.ids, len(dataset.classes)
    named = _by_name(names, dataset)
    if order is not None and order not in CLASS_ORDERS:
        lines = _lines(Path(order))
        named = _by_name(lines, dataset)
        if named is None:
            lacking = {_plain(name): name for name in dataset.classes}
            for line in lines:
                lacking.pop(_plain(line), None)
            raise SegbenchError(
                f"--class-order {order} has no output for {', '.join(lacking.values())}; write "
                "the class of each output, one per line."
            )
        order = None
    if order is None and named is not None:
        return _checked(named, count, file), None
    if order == "label-ids" or (order is None and count == max(ids) + 1 != classes):
        note = None if order else f"its {count} outputs are assumed to be label ids"
        if count == classes + 1:
            note = None
        return _checked(ids, count, file), note
    if order == "background-first":
        return _checked(tuple(range(1, classes + 1)), count, file), None
    if order == "train-ids" or count in (None, classes, classes + 1):
        void = f"the last of its {count} outputs is assumed to be void (--class-order overrides)"
        note = void if count == classes + 1 and order is None else None
        return _checked(tuple(range(classes)), count, file), note
    raise SegbenchError(
        f"{path} has {count} outputs, which do not fit the {classes} classes of {dataset.name!r}; "
        "give another --dataset, or --class-order FILE with the class of each output."
    )


def _checked(outputs: tuple[int, ...], count: int | None, file: ModelFile) -> tuple[int, ...]:
    if count is not None and max(outputs) >= count:
        order = file.options.class_order
        told = f"--class-order {order}" if order else "the order of the class names in its metadata"
        raise SegbenchError(
            f"{told} needs {max(outputs) + 1} outputs, but {file.path} has {count}."
        )
    return outputs


def _by_name(names: Sequence[str], dataset: Dataset) -> tuple[int, ...] | None:
    """Each class's index in ``names``, ignoring case and punctuation; None if one is missing."""
    places = {_plain(name): place for place, name in reversed(list(enumerate(names)))}
    found = [places.get(_plain(name)) for name in dataset.classes]
    return None if None in found else tuple(place for place in found if place is not None)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _lines(path: Path) -> list[str]:
    try:
        return read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SegbenchError(
            f"--class-order {path} is neither a file of names nor one of {', '.join(CLASS_ORDERS)}."
        ) from error
