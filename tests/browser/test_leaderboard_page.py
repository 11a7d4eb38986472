"""The leaderboard page as its reader uses it: in a browser, with a mouse or with the keyboard."""

import shlex
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.boards import ODD, ORIGIN, RUNTIMES, SCORED_ONLY
from tests.browser.conftest import OpenPage

HINT = "Point at a mark to see its figures."
VGG16, MOBILENET, ODD_ONE = "FCN8s VGG16", "FCN8s MobileNetV2", f"FCN8s {ODD}"
"""The networks on these backbones, as a leaderboard calls them."""


@pytest.fixture
def page(open_page: OpenPage, board: Path) -> Page:
    return open_page(board)


def backbones(page: Page) -> list[str]:
    """What a reader sees in the column, from top to bottom."""
    cells = page.locator(".board tbody .name").all()
    return [cell.inner_text() for cell in cells if cell.is_visible()]


def test_a_column_sorts_by_its_numbers_both_ways(page: Page) -> None:
    assert backbones(page) == [VGG16, MOBILENET, ODD_ONE]
    head = page.locator("th.number", has_text="p50 ms")
    head.get_by_role("button").click()
    assert backbones(page) == [MOBILENET, ODD_ONE, VGG16]
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    assert backbones(page) == [VGG16, ODD_ONE, MOBILENET]
    assert head.get_attribute("aria-sort") == "descending"
    assert page.locator("th[aria-sort]").count() == 1


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_column_sorts_from_the_keyboard(page: Page, key: str) -> None:
    page.get_by_role("button", name="score", exact=True).press(key)
    assert backbones(page) == [ODD_ONE, MOBILENET, VGG16]


def test_what_is_empty_stays_last(page: Page) -> None:
    page.locator(".board tbody").first.locator("td").nth(2).evaluate(
        "cell => { cell.textContent = ''; delete cell.dataset.key; }"
    )
    button = page.get_by_role("button", name="score", exact=True)
    for expected in ([ODD_ONE, MOBILENET, VGG16], [MOBILENET, ODD_ONE, VGG16]):
        button.click()
        assert backbones(page) == expected


def test_a_filter_keeps_the_rows_with_all_words(page: Page) -> None:
    page.get_by_label("Filter rows").fill("camvid MOBILE")
    assert backbones(page) == [MOBILENET]
    assert page.locator(".controls output").inner_text() == "1 of 3 rows"
    points = page.locator(".point").all()
    assert [point.is_visible() for point in points] == [True, False, False]
    lines = page.locator(".heat tbody tr").all()
    assert [line.is_visible() for line in lines] == [False, True, False]
    assert page.locator("path.front").first.is_visible()
    page.get_by_label("Filter rows").fill("nowhere")
    assert page.locator("section").is_hidden()
    assert page.locator("path.front").first.is_hidden()
    page.get_by_label("Filter rows").fill("")
    assert len(backbones(page)) == 3
    assert all(point.is_visible() for point in points)


def test_a_plot_without_a_point_left_is_hidden_with_its_front(
    open_page: OpenPage, crowded: Path
) -> None:
    page = open_page(crowded)
    figures = page.locator("section:visible figure")
    assert all(figure.is_visible() for figure in figures.all())
    page.get_by_label("Filter rows").fill(SCORED_ONLY)
    assert len(backbones(page)) == 2 * len(RUNTIMES)
    assert page.locator("section:visible").count() == 2
    for figure in figures.all():
        left = figure.locator("[data-rows]:not([hidden])").count()
        assert figure.is_visible() == (left > 0)
    assert page.locator("section:visible figure:not(:visible)").count() > 0


def test_hovering_over_a_point_shows_its_details(page: Page) -> None:
    tip = page.locator(".tip")
    assert tip.inner_text() == HINT
    page.locator(".point .mark").first.hover()
    assert tip.inner_text().splitlines() == [
        f"{MOBILENET} eager",
        "mIoU 0.6000",
        "p50 9.50 ms",
        "VALID",
    ]
    page.mouse.move(0, 0)
    assert tip.inner_text() == HINT


def test_the_keyboard_reaches_every_point_in_order_of_latency(page: Page) -> None:
    page.locator(".point").first.focus()
    seen = []
    for _ in range(3):
        seen.append(page.locator(".tip").inner_text())
        page.keyboard.press("Tab")
    assert [text.splitlines()[0] for text in seen] == [
        f"{MOBILENET} eager",
        f"{ODD_ONE} eager",
        f"{VGG16} eager",
    ]
    assert "INVALID: the median drifted" in seen[1]
    assert page.locator(".tip").inner_text() == HINT


def test_escape_closes_the_details(page: Page) -> None:
    page.locator(".point").first.focus()
    page.keyboard.press("Escape")
    assert page.locator(".tip").inner_text() == HINT


def test_a_row_unfolds_where_it_comes_from(page: Page, board: Path) -> None:
    unfold = page.get_by_role("button", name=VGG16, exact=True)
    origin = page.locator(".provenance").first
    assert origin.is_hidden()
    unfold.press("Enter")
    assert unfold.get_attribute("aria-expanded") == "true"
    text = origin.inner_text()
    assert "0123456789, dirty: source files differed from it" in text
    assert "2026-01-02T03:04:05+00:00" in text
    assert shlex.join(ORIGIN["argv"]) in text
    for link in origin.get_by_role("link").all():
        assert (board.parent / (link.get_attribute("href") or "")).is_file()
    unfold.press("Enter")
    assert origin.is_hidden()


def test_a_name_that_is_a_script_stays_text(page: Page) -> None:
    assert page.title() == "segbench leaderboard"
    assert page.locator("script").count() == 1
    assert ODD_ONE in backbones(page)
