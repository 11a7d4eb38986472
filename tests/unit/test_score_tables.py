"""Which tables a score is shown in."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from segbench.scoring.confusion import summary
from segbench.scoring.score import Score
from segbench.types import ScoreTable
from segbench_plugins.commands.print_scores import score_tables

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
