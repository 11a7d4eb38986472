"""Which tables a score is shown in."""

import numpy as np

from segbench.cli.score_tables import score_tables
from segbench.scoring.confusion import summary
from segbench.scoring.score import Score

FIGURES = summary(np.array([[3, 1, 0], [0, 4, 0]]), ("road", "car"))


def titles(official: dict[str, object]) -> list[str]:
    return [table.title for table in score_tables(Score(official, 1, FIGURES, None))]


def test_a_benchmark_with_the_usual_figures_has_one_table_of_classes() -> None:
    assert titles(dict(FIGURES)) == ["class"]


def test_a_benchmarks_own_table_is_shown_too() -> None:
    assert titles({"perspective": {"UM_ROAD": {"MaxF": 0.9}}}) == ["class", "perspective"]
