"""Printing scores on a terminal, for all commands."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from segbench.cli.terminal import Console, plain_table
from segbench.records.record import Record
from segbench.scoring.score import Score
from segbench.types import Benchmark, ScoreTable, Tabular


def print_record(record: Record, benchmark: Benchmark) -> None:
    """Print the score of a run or an evaluation, class by class."""
    metrics, config = record.metrics, record.config
    summary = metrics | {"per_class": record.per_class}
    low, high = metrics["miou_low"], metrics["miou_high"]
    interval = None if low is None else (low, high)
    title = f"{record.network_name} on {config['dataset']} {config['split']}"
    title += scale_note(config["label_scale"])
    score = Score(record.official or {}, metrics["frames"], summary, interval)
    print_score(score, benchmark, title)


def scale_note(label_scale: int) -> str:
    """The title's note on a score at reduced size; empty for an official one."""
    if label_scale == 1:
        return ""
    return f", labels at 1/{label_scale}: not comparable with official scores"


def print_score(score: Score, benchmark: Benchmark, title: str) -> None:
    """Print the class table, the benchmark's other tables, the means, and notes."""
    console = Console()
    console.say(title, "bold")
    for table in score_tables(score, benchmark):
        shown = plain_table(table.title, *table.columns)
        for row, figures in table.rows.items():
            shown.add_row(row, *map(show, figures))
        console.print(shown)
        console.print()
    console.say(means(score))
    for note in (*absent_classes(score.summary), *score.notes):
        console.say(f"Note: {note}", "yellow")


def score_tables(score: Score, benchmark: Benchmark) -> list[ScoreTable]:
    """IoU and accuracy of the classes, with the benchmark's columns, then its other tables."""
    classes = _classes(score.summary)
    others: Sequence[ScoreTable] = ()
    if isinstance(benchmark, Tabular) and score.official:
        others = benchmark.tables(score.official)
    for table in others:
        if table.title == classes.title:
            rows = {name: (*row, *table.rows[name]) for name, row in classes.rows.items()}
            classes = replace(classes, columns=(*classes.columns, *table.columns), rows=rows)
    return [classes, *(table for table in others if table.title != classes.title)]


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


def absent_classes(summary: Mapping[str, Any]) -> Sequence[str]:
    """A note on classes that are predicted but shown by no label: their IoU of 0 is in the mean.

    A few frames rarely show all classes.
    """
    iou, accuracy = summary["per_class"]["iou"], summary["per_class"]["accuracy"]
    absent = [name for name in iou if iou[name] is not None and accuracy[name] is None]
    shown = [iou[name] for name in iou if accuracy[name] is not None]
    if not (absent and shown):
        return ()
    verbs = ("is", "counts") if len(absent) == 1 else ("are", "count")
    return (
        f"{', '.join(absent)} {verbs[0]} predicted but in no label, and {verbs[1]} as 0 in the "
        f"mean; without that it is {sum(shown) / len(shown):.4f}",
    )


def show(figure: float | int | None) -> str:
    """Four decimals for a fraction, and "-" if undefined."""
    if figure is None:
        return "-"
    return str(figure) if isinstance(figure, int) else f"{figure:.4f}"


def _classes(summary: Mapping[str, Any]) -> ScoreTable:
    iou, accuracy = summary["per_class"]["iou"], summary["per_class"]["accuracy"]
    rows = {name: (iou[name], accuracy[name]) for name in iou}
    mean = (summary["miou"], summary["mean_accuracy"])
    return ScoreTable("class", ("IoU", "accuracy"), rows | {"mean": mean})
