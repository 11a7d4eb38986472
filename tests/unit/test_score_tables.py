"""Which tables a score is shown in."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from segbench.scoring.confusion import summary
from segbench.scoring.score import Score
from segbench.types import ScoreTable
from segbench_plugins.commands.print_scores import absent_classes, score_tables

FIGURES = summary(np.array([[3, 1, 0], [0, 4, 0]]), ("road", "car"))


class Plain:
    """A benchmark with the usual figures alone."""


class WithSpaces:
    """A benchmark with a table of its own."""

    def tables(self, official: Mapping[str, Any]) -> list[ScoreTable]:
        rows = {name: (figures["MaxF"],) for name, figures in official["perspective"].items()}
        return [ScoreTable("perspective", ("MaxF",), rows)]


def titles(official: dict[str, Any], benchmark: Any) -> list[str]:
    tables = score_tables(Score(official, 1, FIGURES, None), benchmark)
    return [table.title for table in tables]


def test_a_benchmark_with_the_usual_figures_has_one_table_of_classes() -> None:
    assert titles(dict(FIGURES), Plain()) == ["class"]


def test_a_benchmarks_own_table_is_shown_too() -> None:
    official = {"perspective": {"UM_ROAD": {"MaxF": 0.9}}}
    assert titles(official, WithSpaces()) == ["class", "perspective"]


def test_classes_that_no_label_shows_are_named_if_they_lower_the_mean() -> None:
    """Road has IoU 3/4, car 2/3; one pixel of each is taken for a tree."""
    confusion = np.array([[3, 0, 1, 0], [0, 2, 1, 0], [0, 0, 0, 0]])
    (note,) = absent_classes(summary(confusion, ("road", "car", "tree")))
    assert note.startswith("tree is predicted but in no label, and counts as 0")
    assert note.endswith(f"{(3 / 4 + 2 / 3) / 2:.4f}")
    assert absent_classes(FIGURES) == ()
    assert absent_classes(summary(np.zeros((2, 3), int), ("road", "car"))) == ()
