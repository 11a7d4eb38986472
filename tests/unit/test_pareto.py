"""Which points no other beats, and how they are drawn."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segbench.plugins import Registry
from segbench_plugins.commands.leaderboard.axes import linear_axis, log_axis
from segbench_plugins.commands.leaderboard.front import Point, near_front, valid_front
from segbench_plugins.commands.leaderboard.measures import LEFT, LETTER, RIGHT
from segbench_plugins.commands.leaderboard.plot import Key, pareto_plot
from segbench_plugins.commands.pages import render

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
        # The fifth digit is noise between engines.
        ([(5, 0.654101), (9, 0.654109)], [(5, 0.654101)]),
        # Equal in both: neither dominates the other.
        ([(5, 0.5), (5, 0.5)], [(5, 0.5), (5, 0.5)]),
    ],
)
def test_the_front_of_a_few_points(
    points: list[tuple[float, float]], front: list[tuple[float, float]]
) -> None:
    assert valid_front(places(*points)) == places(*front)


def dominates(one: Point, other: Point) -> bool:
    no_worse = one.ms <= other.ms and one.score >= other.score
    return no_worse and (one.ms, one.score) != (other.ms, other.score)


# Few values, so that ties are frequent.
POINTS = st.lists(
    st.builds(Point, st.sampled_from([1.0, 2.0, 3.0, 5.0]), st.sampled_from([0.0, 0.2, 0.5, 1.0]))
)


@given(POINTS)
def test_the_front_is_the_points_that_none_dominates(points: list[Point]) -> None:
    front = valid_front(points)
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


def plot(points: list[Point], key: Key = KEY) -> ElementTree.Element:
    return ElementTree.fromstring(render("plot.svg", plot=pareto_plot(points, key, "mIoU")))


def drawn(points: list[Point]) -> list[ElementTree.Element]:
    """The points of a plot in the order of drawing."""
    root = plot(points)
    return [g for g in root.iter(f"{SVG}g") if g.get("class", "").startswith("point")]


def test_a_point_has_its_backbones_colour_its_runtimes_mark_and_its_details() -> None:
    points = [
        Point(20, 0.6, "vgg16", "eager", details="one\n<two>"),
        Point(10, 0.58, "mobilenet", "onnx", verdict="INVALID"),
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
    root = plot([Point(10, 0.9, "vgg16", "eager", None)])
    fronts = [path.get("d") for path in root.iter(f"{SVG}path") if path.get("class") == "front"]
    assert fronts == ["M-8 0H8"], "only the legend's"


def test_every_built_in_runtime_has_a_mark_of_its_own() -> None:
    runtimes = sorted(runtime.name for runtime in Registry.load().runtimes)
    key = Key(("vgg16",), runtimes)
    svg = plot([Point(10, 0.9, "vgg16", name) for name in runtimes], key)
    points = [g for g in svg if g.get("class") == "point series-1"]
    assert len({point[0].get("d") for point in points}) == len(runtimes)


def test_the_front_passes_through_valid_points_alone() -> None:
    valid, doubted = Point(20, 0.6, "vgg16", "eager"), Point(10, 0.9, "vgg16", "eager", "INVALID")
    x, y = drawn([valid, doubted])[1].get("transform", "")[10:-1].split()
    root = plot([valid, doubted])
    front = next(path for path in root.iter(f"{SVG}path") if path.get("class") == "front")
    assert front.get("d") == f"M{x} 320H{x}V{y}H628"


def test_without_a_valid_point_there_is_no_front_but_a_plot() -> None:
    assert len(drawn([Point(10, 0.9, "vgg16", "eager", "INVALID")])) == 1


def test_near_the_front_is_within_a_tenth_of_the_best_score() -> None:
    front = places((5, 0.6), (10, 0.7))
    near = places((6, 0.54), (20, 0.64))
    far = places((7, 0.52), (30, 0.62))
    assert near_front([*far, *near, *front]) == [front[0], near[0], front[1], near[1]]


def test_an_invalid_point_that_is_fast_and_poor_is_not_near() -> None:
    valid, poor = Point(20, 0.6), Point(1, 0.1, verdict="INVALID")
    assert near_front([valid, poor]) == [valid]
    assert near_front([poor]) == [poor]


def test_what_lies_far_below_the_front_is_counted_and_leaves_the_range_to_the_rest() -> None:
    good = [Point(10, 0.60, "vgg16", "onnx"), Point(20, 0.63, "vgg16", "eager")]
    old = Point(15, 0.2, "vgg16", "eager")
    assert len(drawn([*good, old])) == 2
    texts = [text.text for text in plot([*good, old]).iter(f"{SVG}text")]
    assert "1 of 3 points are outside, far below the front." in texts
    assert "0.60" in texts
    assert "0.2" not in texts
    assert not any("outside" in (text.text or "") for text in plot(good).iter(f"{SVG}text"))


def test_the_whole_plot_has_every_point() -> None:
    points = [Point(10, 0.60, "vgg16", "onnx"), Point(15, 0.2, "vgg16", "eager")]
    whole = pareto_plot(points, Key(["vgg16"], ["eager", "onnx"]), "mIoU", whole=True)
    assert (len(whole["marks"]), whole["outside"]) == (2, None)


def labels(points: list[Point]) -> list[str | None]:
    texts = [point.find(f"{SVG}text") for point in drawn(points)]
    return [None if text is None else text.text for text in texts]


def test_points_are_labelled_by_what_differs() -> None:
    assert labels([Point(10, 0.6, "vgg16", "onnx"), Point(90, 0.63, "vgg16", "eager")]) == [
        "onnx",
        "eager",
    ]
    assert labels([Point(10, 0.6, "vgg16", "onnx"), Point(90, 0.63, "mobilenet", "eager")]) == [
        "vgg16 onnx",
        "mobilenet eager",
    ]


def test_a_network_below_the_front_is_named_once() -> None:
    slow = [Point(ms, 0.58, "vgg16", runtime) for ms, runtime in ((50, "onnx"), (90, "eager"))]
    found = labels([Point(10, 0.6, "mobilenet", "onnx"), *slow])
    assert found == ["mobilenet onnx", "vgg16", None]


def test_a_label_without_room_is_left_out_and_the_fronts_come_first() -> None:
    crowd = [Point(10, 0.6 - n / 2000, "vgg16", ("eager", "onnx")[n % 2]) for n in range(9)]
    found = labels(crowd)
    assert found[0] == "eager"
    assert None in found


@given(
    st.lists(
        st.builds(
            Point,
            st.floats(1, 9),
            st.floats(0.5, 0.6),
            st.just("vgg16"),
            st.sampled_from(KEY.runtimes),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_no_label_covers_another(points: list[Point]) -> None:
    boxes = []
    for mark in pareto_plot(points, KEY, "mIoU")["marks"]:
        if mark.label is not None:
            width = LETTER * len(mark.label.text)
            share = {"start": 0.0, "middle": 0.5, "end": 1.0}[mark.label.anchor]
            left, base = mark.x + mark.label.x - share * width, mark.y + mark.label.y
            assert left > LEFT
            assert left + width < RIGHT
            boxes.append((left, base - 9, left + width, base))
    for n, one in enumerate(boxes):
        for other in boxes[:n]:
            apart = one[2] <= other[0] or other[2] <= one[0]
            assert apart or one[3] <= other[1] or other[3] <= one[1]
