"""A report in a real browser: nothing is fetched, nothing fails, names stay text."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from segbench.cli import main

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

RESULTS = Path(__file__).parents[2] / "results"
RUN = RESULTS / "run" / "20261124T165555Z-509bfdfdce66.json"
ODD = "<script>document.title = 'taken'</script>"


@pytest.fixture(scope="module")
def browser() -> "Iterator[sync_api.Browser]":
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs a chromium on the PATH")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a published run whose class, backbone and record are called a script."""
    folder = tmp_path_factory.mktemp("report")
    record = json.loads(RUN.read_text().replace("Fence", ODD))
    record["config"]["backbone"] = ODD
    copy = folder / "record.json"
    copy.write_text(json.dumps(record))
    shutil.copy(RUN.with_suffix(".npz"), copy.with_suffix(".npz"))
    page = folder / "report.html"
    done = CliRunner().invoke(main, ["report", str(copy), "--output", str(page)])
    assert done.exit_code == 0, done.output
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_stands_alone(
    browser: "sync_api.Browser", report: Path, scheme: str, width: int
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert page.title() == f"{ODD} on camvid test"
    assert page.locator("script").count() == 0
    assert page.locator("th", has_text=ODD).first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    loaded = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
    assert page.evaluate(loaded)
    assert all(image.get_attribute("alt") for image in page.locator("img").all())
    page.close()


def test_a_folded_table_opens_by_keyboard(browser: "sync_api.Browser", report: Path) -> None:
    page = browser.new_page()
    page.goto(report.as_uri())
    folded = page.locator("details", has_text="Confusion matrix")
    assert not folded.locator("table").is_visible()
    folded.locator("summary").press("Enter")
    assert folded.locator("table").is_visible()
    page.close()
