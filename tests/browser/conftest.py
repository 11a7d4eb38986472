"""A real browser for the pages that segbench writes: the chromium that the system has."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.boards import ODD, network, write_crowd, write_latency, write_page, write_score

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs a browser: install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """A function from a file to its page; options such as ``color_scheme`` are playwright's.

    When the test ends, no page may have reported an error or asked for anything but itself.
    """
    errors: list[str] = []
    requests: list[str] = []
    contexts = []

    def open_file(path: Path, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.absolute().as_uri())
        requests.remove(page.url)
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert (errors, [url for url in requests if not url.startswith("data:")]) == ([], [])


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of three networks, one of them INVALID and with a name that is a script."""
    folder = tmp_path_factory.mktemp("board")
    for name, score, p50_ms, reason in (
        ("vgg16", 0.7, 100.0, ""),
        ("mobilenet", 0.6, 9.5, ""),
        (ODD, 0.58, 20.0, "the median drifted"),
    ):
        write_score(folder / "results", network(name), score, {"Sky": score, "Road": None})
        write_latency(folder / "results", network(name), p50_ms, reason)
    return write_page(folder / "results", folder / "board.html")


@pytest.fixture(scope="session")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page whose tables are wider and longer than a screen."""
    folder = tmp_path_factory.mktemp("crowded")
    write_crowd(folder / "results")
    return write_page(folder / "results", folder / "board.html")
