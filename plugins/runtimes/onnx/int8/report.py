"""The report on a quantised network: a JSON file that grows layer by layer, a CSV and a chart."""

import csv
import json
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any

from segbench.errors import SegbenchError
from segbench.files import draft_of, read_text
from segbench.text import csv_cell

from .layer_costs import LayerCost


@dataclass(frozen=True)
class Report:
    """The measurements; every mIoU is a fraction on the same ``frames`` held-back frames.

    ``key`` is a digest of the network and ``frames``: a report with another key is for another
    network. ``kept_float`` are the costliest layers, and ``kept_miou`` the mIoU of INT8 with these
    in floating point; empty and None if not requested. ``costs`` are worst first.
    """

    key: str
    checkpoint_sha256: str | None
    profile: str
    frames: int
    quantization: dict[str, Any]
    fp32_miou: float
    int8_miou: float
    costs: tuple[LayerCost, ...] = ()
    kept_float: tuple[str, ...] = ()
    kept_miou: float | None = None


def worst_first(costs: tuple[LayerCost, ...]) -> tuple[LayerCost, ...]:
    """The costs sorted by mIoU lost, then by noise."""

    def order(cost: LayerCost) -> tuple[float, float]:
        return -cost.miou_lost, inf if cost.snr_db is None else cost.snr_db

    return tuple(sorted(costs, key=order))


def write_json(report: Report, path: Path) -> None:
    """Write atomically, so that a killed run leaves the last complete report."""
    with draft_of(path) as draft:
        draft.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> Report | None:
    """The report at ``path``, None if missing; SegbenchError for any other file."""
    try:
        found = json.loads(read_text(path))
        costs = tuple(LayerCost(**cost) for cost in found["costs"])
        return Report(**found | {"costs": costs, "kept_float": tuple(found["kept_float"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise SegbenchError(
            f"{path} is not a report of segbench quantize-report; give another --output."
        ) from error


def write_csv(report: Report, path: Path) -> None:
    """One line per layer; missing figures of floating-point layers are left empty."""
    with draft_of(path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("layer", "precision", "snr_db", "miou_lost"))
        for cost in report.costs:
            writer.writerow((csv_cell(cost.layer), "int8", cost.snr_db, cost.miou_lost))
        writer.writerows((csv_cell(name), "float") for name in report.quantization["float_layers"])


def draw_chart(report: Report, path: Path) -> None:
    """Two bars per layer, mIoU lost in points and signal-to-noise ratio in dB, as a PNG."""
    from matplotlib.figure import Figure

    costs = report.costs
    figure = Figure(figsize=(10, 1.8 + 0.2 * len(costs)), layout="constrained")
    lost, noise = figure.subplots(1, 2, sharey=True)
    rows = range(len(costs))
    lost.barh(rows, [100 * cost.miou_lost for cost in costs], color="#c0504d")
    noise.barh(rows, [cost.snr_db or 0 for cost in costs], color="#4f81bd")
    lost.set_yticks(rows, [cost.layer for cost in costs], fontsize=8)
    lost.set_ylim(len(costs) - 0.5, -0.5)
    lost.axvline(0, color="black", linewidth=0.8)
    lost.set_xlabel("mIoU lost with only this layer in INT8 (points)")
    noise.set_xlabel("signal to noise of its output (dB)")
    for axes in (lost, noise):
        axes.grid(axis="x", alpha=0.3)
        axes.tick_params(axis="y", length=0)
    figure.suptitle(
        f"INT8 {report.profile}: mIoU {report.fp32_miou:.4f} in FP32, {report.int8_miou:.4f} in "
        f"INT8, on {report.frames} held-back training frames",
        fontsize=10,
    )
    with draft_of(path) as draft:
        figure.savefig(draft, dpi=120)
