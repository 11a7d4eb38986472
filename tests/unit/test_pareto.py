"""Which points no other beats, and how they are drawn."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segbench.pages.axes import linear_axis, log_axis
from segbench.pages.pareto import Key, Point, pareto_front, pareto_plot
from segbench.plugins import Registry

SVG = "{http://www.w3.org/2000/svg}"
KEY = Key(("mobilenet", "vgg16"), ("eager", "onnx"))


def places(*pairs: tuple[float, float]) -> list[Point]:
    return [Point(ms, score) for ms, score in pairs]


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([], []),
        ([(5, 0.5)], [(5, 0.5)]),
        ([(9, 0.7), (5, 0.5), (7, 0.6)], [(5, 0.5), (7, 0.6), (9, 0.7)]),
        ([(5, 0.5), (6, 0.4), (7, 0.6)], [(5, 0.5), (7, 0.6)]),
        # As good but slower, as fast but worse: both are dominated.
        ([(5, 0.5), (6, 0.5), (5, 0.4)], [(5, 0.5)]),
        # Equal in both: neither dominates the other.
        ([(5, 0.5), (5, 0.5)], [(5, 0.5), (5, 0.5)]),
    ],
)
def test_the_front_of_a_few_points(
    points: list[tuple[float, float]], front: list[tuple[float, float]]
) -> None:
    assert pareto_front(places(*points)) == places(*front)


def dominates(one: Point, other: Point) -> bool:
    no_worse = one.ms <= other.ms and one.score >= other.score
    return no_worse and (one.ms, one.score) != (other.ms, other.score)


# Few values, so that ties are frequent.
POINTS = st.lists(
    st.builds(Point, st.sampled_from([1.0, 2.0, 3.0, 5.0]), st.sampled_from([0.0, 0.2, 0.5, 1.0]))
)


@given(POINTS)
def test_the_front_is_the_points_that_none_dominates(points: list[Point]) -> None:
    front = pareto_front(points)
    expected = [p for p in points if not any(dominates(other, p) for other in points)]
    assert sorted(front, key=repr) == sorted(expected, key=repr)
    assert all(a.ms <= b.ms for a, b in pairwise(front))


def test_ticks_of_a_linear_axis() -> None:
    axis = linear_axis([0.5, 0.6], 0, 120)
    assert [label for _, label in axis.ticks] == ["0.50", "0.52", "0.54", "0.56", "0.58", "0.60"]
    assert [axis.at(value) for value in (0.49, 0.55, 0.61)] == pytest.approx([0, 60, 120])


def test_ticks_of_a_logarithmic_axis() -> None:
    assert [label for _, label in log_axis([8, 120], 0, 1).ticks] == ["5", "10", "20", "50", "100"]
    assert [label for _, label in log_axis([1, 5000], 0, 1).ticks] == ["1", "10", "100", "1000"]
    axis = log_axis([1.6, 100 / 1.6], 0, 100)
    assert [axis.at(value) for value in (1, 10, 100)] == pytest.approx([0, 50, 100])


@given(st.floats(1e-3, 1e6))
def test_a_lone_value_has_a_tick_beside_it(ms: float) -> None:
    assert log_axis([ms], 0, 1).ticks
    assert log_axis([ms], 0, 1).at(ms) == pytest.approx(0.5)


@given(st.lists(st.floats(0, 1), min_size=1))
def test_every_score_lies_on_the_axis(scores: list[float]) -> None:
    axis = linear_axis(scores, 300, 10)
    assert all(10 <= axis.at(score) <= 300 for score in scores)
    assert 0 < len(axis.ticks) < 20


def drawn(points: list[Point]) -> list[ElementTree.Element]:
    """The points of a plot in the order of drawing."""
    root = ElementTree.fromstring(pareto_plot(points, KEY, "mIoU"))
    return [g for g in root.iter(f"{SVG}g") if g.get("class", "").startswith("point")]


def test_a_point_has_its_backbones_colour_its_runtimes_mark_and_its_details() -> None:
    points = [
        Point(20, 0.6, "vgg16", "eager", details="one\n<two>"),
        Point(10, 0.5, "mobilenet", "onnx", verdict="INVALID"),
        Point(30, 0.7, "mobilenet", "eager"),
    ]
    fast, middle, slow = drawn(points)
    assert fast.get("class") == "point series-1 hollow"
    assert middle.get("class") == "point series-2"
    assert middle.get("aria-label") == "one\n<two>"
    assert fast[0].get("d") != middle[0].get("d") == slow[0].get("d")


def test_a_point_without_a_verdict_is_neither_hollow_nor_in_the_front() -> None:
    (point,) = drawn([Point(10, 0.9, "vgg16", "eager", verdict=None)])
    assert point.get("class") == "point series-2"
    root = ElementTree.fromstring(pareto_plot([Point(10, 0.9, "vgg16", "eager", None)], KEY, ""))
    fronts = [path.get("d") for path in root.iter(f"{SVG}path") if path.get("class") == "front"]
    assert fronts == ["M-8 0H8"], "only the legend's"


def test_every_built_in_runtime_has_a_mark_of_its_own() -> None:
    runtimes = sorted(runtime.name for runtime in Registry.load().runtimes)
    key = Key(("vgg16",), runtimes)
    svg = pareto_plot([Point(10, 0.9, "vgg16", name) for name in runtimes], key, "mIoU")
    points = [g for g in ElementTree.fromstring(svg) if g.get("class") == "point series-1"]
    assert len({point[0].get("d") for point in points}) == len(runtimes)


def test_the_front_passes_through_valid_points_alone() -> None:
    valid, doubted = Point(20, 0.6, "vgg16", "eager"), Point(10, 0.9, "vgg16", "eager", "INVALID")
    x, y = drawn([valid, doubted])[1].get("transform", "")[10:-1].split()
    root = ElementTree.fromstring(pareto_plot([valid, doubted], KEY, "mIoU"))
    front = next(path for path in root.iter(f"{SVG}path") if path.get("class") == "front")
    assert front.get("d") == f"M{x} 300H{x}V{y}H548"


def test_without_a_valid_point_there_is_no_front_but_a_plot() -> None:
    assert len(drawn([Point(10, 0.9, "vgg16", "eager", "INVALID")])) == 1
