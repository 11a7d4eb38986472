"""A score as people read it: tables with class names, and one line of means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segbench.scoring.score import Score

Figures = tuple[float | int | None, ...]


@dataclass(frozen=True)
class ScoreTable:
    """Rows of figures by name; fractions, counts of frames, or None for what is undefined."""

    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, Figures]


def score_tables(score: Score) -> list[ScoreTable]:
    """Classes, categories where there are some, and a table for each space of KITTI Road.

    What a benchmark repeats of the usual figures is shown once.
    """
    official = score.official
    tables = [_classes(score.summary, official)]
    if "categoryScores" in official:
        tables.append(_categories(official))
    own = {title: rows for title, rows in official.items() if title not in score.summary}
    return tables + [_nested(title, rows) for title, rows in own.items() if _is_table(rows)]


def means(score: Score) -> str:
    """One line of means with the bootstrap interval, or why there is none."""
    figures = score.summary
    if score.interval is not None:
        low, high = score.interval
        between = f"95% interval over frames {low:.4f} to {high:.4f}"
    else:
        between = "no interval: one frame" if score.frames == 1 else "no interval"
    return (
        f"mIoU {show(figures['miou'])} ({between}), "
        f"frequency-weighted IoU {show(figures['fw_iou'])}, "
        f"pixel accuracy {show(figures['pixel_accuracy'])}, "
        f"mean accuracy {show(figures['mean_accuracy'])}"
    )


def show(figure: float | int | None) -> str:
    """Four decimals for a fraction, and "-" for what is undefined."""
    if figure is None:
        return "-"
    return str(figure) if isinstance(figure, int) else f"{figure:.4f}"


def _classes(summary: Mapping[str, Any], official: Mapping[str, Any]) -> ScoreTable:
    per_class = summary["per_class"]
    columns = {"IoU": per_class["iou"], "accuracy": per_class["accuracy"]}
    mean: Figures = (summary["miou"], summary["mean_accuracy"])
    if "classInstScores" in official:
        columns["iIoU"] = official["classInstScores"]
        mean = (*mean, official["averageScoreInstClasses"])
    rows = {name: tuple(column[name] for column in columns.values()) for name in per_class["iou"]}
    return ScoreTable("class", tuple(columns), rows | {"mean": mean})


def _categories(official: Mapping[str, Any]) -> ScoreTable:
    iou, iiou = official["categoryScores"], official["categoryInstScores"]
    rows = {name: (iou[name], iiou[name]) for name in iou if name != "void"}
    mean = (official["averageScoreCategories"], official["averageScoreInstCategories"])
    return ScoreTable("category", ("IoU", "iIoU"), rows | {"mean": mean})


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(row, dict) for row in value.values())


def _nested(title: str, rows: Mapping[str, Mapping[str, Any]]) -> ScoreTable:
    columns = tuple(next(iter(rows.values()), {}))
    return ScoreTable(title, columns, {name: tuple(row.values()) for name, row in rows.items()})
