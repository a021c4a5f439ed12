"""The report in a real browser without a network: it draws, filters, tells, sorts and prints.

`make report-test` installs Chromium, playwright and axe-core. Elsewhere these tests are skipped.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from chromium import COLOUR, COUNT, PAINTED, PLACE, Opened, chromium, opened
from paths import ROOT

from crackpipe.pipeline.report import report as story

AXE = ROOT / "build" / "tools" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
# A script that was not in the file.
FOREIGN = """() => {
  const script = document.createElement('script');
  script.textContent = 'window.ran = 1';
  document.body.append(script);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def file(with_sections: Path, browser: Any) -> Path:
    return story.report(with_sections).path


@pytest.fixture
def report(browser: Any, file: Path) -> Iterator[Opened]:
    with opened(browser, file) as found:
        yield found
        assert found.said == []
        assert found.asked_for == []


def shown(report: Opened) -> str:
    return str(report.page.locator("#shown").inner_text())


def colour(report: Opened, name: str) -> str:
    return str(report.page.evaluate(COLOUR, name))


def test_the_map_shows_the_cracks_and_the_page_its_figures(report: Opened, with_sections: Path) -> None:
    table = pq.read_table(with_sections / "cracks.parquet")
    classes = set(table.column("width_class").to_pylist()) & {"tiny", "small", "wide"}
    assert classes
    for name in classes:
        assert report.page.evaluate(COUNT, colour(report, name)) > 5
    length_m = sum(table.column("length_m").to_pylist())
    assert shown(report).startswith(f"{table.num_rows} cracks of {table.num_rows}, {length_m:.2f} m")
    assert report.page.locator("main > section:visible").count() == 11
    assert report.page.locator("#quarantine tbody tr").count() == 3


def test_the_filter_by_class_leaves_the_others(report: Opened, with_sections: Path) -> None:
    classes = pq.read_table(with_sections / "cracks.parquet").column("width_class").to_pylist()
    report.page.get_by_label("wide", exact=True).uncheck()
    left = sum(each != "wide" for each in classes)
    assert 0 < left < len(classes)
    assert shown(report).startswith(f"{left} crack")
    assert report.page.evaluate(COUNT, colour(report, "wide")) == 0
    report.page.get_by_role("button", name="Show everything").click()
    assert shown(report).startswith(f"{len(classes)} cracks of {len(classes)}")
    assert report.page.evaluate(COUNT, colour(report, "wide")) > 20


def test_filters_by_width_type_and_confidence(report: Opened, with_sections: Path) -> None:
    rows = pq.read_table(with_sections / "cracks.parquet").to_pylist()
    report.page.get_by_label("from").fill("2.5")
    within = [row for row in rows if row["width_mm"] is not None and round(row["width_mm"], 2) >= 2.5]
    assert shown(report).startswith(f"{len(within)} crack")
    report.page.get_by_label("from").fill("")
    kind = next(row["crack_type"] for row in rows if row["crack_type"])
    report.page.get_by_label(kind, exact=True).uncheck()
    others = [row for row in rows if row["crack_type"] != kind]
    assert shown(report).startswith(f"{len(others)} crack")
    report.page.get_by_label(kind, exact=True).check()
    report.page.locator("#confidence").fill("90")
    sure = [row for row in rows if round(row["confidence"] * 100) >= 90]
    assert shown(report).startswith(f"{len(sure)} crack")


def test_a_click_on_a_crack_shows_its_figures_and_its_picture(report: Opened, with_sections: Path) -> None:
    rows = {row["crack_id"]: row for row in pq.read_table(with_sections / "cracks.parquet").to_pylist()}
    report.page.locator("#map").scroll_into_view_if_needed()
    place = report.page.evaluate(PLACE, colour(report, "wide"))
    report.page.mouse.click(*place)
    report.page.wait_for_selector("#detail canvas[data-painted]")
    words = report.page.locator("#detail").inner_text()
    row = next(row for name, row in rows.items() if name in words)
    assert row["width_class"] == "wide"
    assert row["image_id"] in words
    assert f"{row['width_mm']:.2f} ± {row['width_sigma_mm']:.2f} mm" in words
    assert report.page.locator("#detail canvas").evaluate(PAINTED)


def test_the_keyboard_does_what_the_mouse_does(report: Opened) -> None:
    report.page.locator("#map").focus()
    before = report.page.evaluate(COUNT, colour(report, "wide"))
    report.page.keyboard.press("+")
    report.page.keyboard.press("ArrowLeft")
    report.page.wait_for_timeout(300)
    assert report.page.evaluate(COUNT, colour(report, "wide")) != before
    report.page.keyboard.press("Enter")
    report.page.wait_for_selector("#detail canvas[data-painted]")
    assert "crack_id" in report.page.locator("#detail").inner_text()


def test_the_worst_cracks_have_pictures(report: Opened) -> None:
    report.page.wait_for_selector("#worst canvas[data-painted]")
    assert report.page.locator("#worst figure").count() >= 3
    assert report.page.locator("#worst canvas").first.evaluate(PAINTED)


def test_tables_are_sorted_by_the_column_that_is_clicked(report: Opened) -> None:
    def column(number: int) -> list[float]:
        cells = report.page.locator(f"#cracks tbody td:nth-child({number})").all_inner_texts()
        return [float(cell) for cell in cells]

    badness = column(1)
    assert badness == sorted(badness, reverse=True)
    for descending in (True, False):
        report.page.locator("#cracks").get_by_role("button", name="Length, m", exact=True).click()
        lengths = column(2)
        assert len(lengths) > 2
        assert lengths == sorted(lengths, reverse=descending)


def test_the_worst_section_stands_first_and_is_shown_on_the_map(report: Opened) -> None:
    areas = report.page.locator("#sections tbody td:nth-child(2)").all_inner_texts()
    known = [float(each) for each in areas if each != "–"]
    assert known == sorted(known, reverse=True)
    assert areas[-1] == "–"
    before = report.page.locator(".leaflet-control-scale-line").inner_text()
    report.page.locator("#sections tbody button").first.click()
    assert report.page.locator(".leaflet-control-scale-line").inner_text() != before


def test_it_prints(report: Opened, tmp_path: Path) -> None:
    content = report.page.pdf(prefer_css_page_size=True)
    assert content.startswith(b"%PDF")
    report.page.emulate_media(media="print", color_scheme="dark")
    report.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert report.page.locator("#map-print").is_visible()
    assert not report.page.locator("#filter").is_visible()
    # prints are light, also of a dark screen, and the map is on them
    assert report.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert report.page.locator("#map-print").evaluate(PAINTED)
    report.page.evaluate("dispatchEvent(new Event('afterprint'))")


def test_hostile_names_do_not_execute(browser: Any, hostile: Path, hostile_text: str) -> None:
    file = story.report(hostile).path
    with opened(browser, file) as found:
        assert found.page.locator("#title").inner_text().endswith(hostile_text)
        found.page.locator("#cracks tbody button").first.click()
        assert "onerror" in found.page.locator("#detail").inner_text()
        assert found.page.locator("img").count() == 0
        assert found.page.locator("script").count() == 4
        assert found.said == []
        assert found.asked_for == []


def test_a_delivery_is_on_the_map(browser: Any, output: Path, delivered: Path, tmp_path: Path) -> None:
    shutil.copytree(output, tmp_path / "out")
    with opened(browser, story.report(tmp_path / "out", [delivered]).path) as found:
        page = found.page
        assert "The delivery" in page.locator("#contents").inner_text()
        jump = page.locator("#delivery tr", has_text="jump").first
        jump.locator("button").click()
        # of two ends 300 m apart both are seen, and the way between is drawn
        assert page.evaluate(COUNT, page.evaluate(COLOUR, "fault")) > 100
        assert found.said == []
        assert found.asked_for == []


def test_without_a_delivery_there_is_no_such_part(report: Opened) -> None:
    assert not report.page.locator("#delivery-part").is_visible()
    assert "The delivery" not in report.page.locator("#contents").inner_text()


def test_a_run_without_cracks_opens_too(browser: Any, output: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(output, copy)
    table = pq.read_table(copy / "cracks.parquet")
    pq.write_table(table.slice(0, 0), copy / "cracks.parquet")
    with opened(browser, story.report(copy).path) as found:
        assert shown(found) == "0 cracks of 0, 0.00 m of 0.00 m"
        assert found.said == []


def test_the_policy_stops_what_is_not_in_the_file(report: Opened) -> None:
    page = report.page
    page.evaluate(FOREIGN)
    assert page.evaluate("window.ran") is None
    stopped = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'fetched', () => 'stopped')")
    assert stopped == "stopped"
    assert report.asked_for == []
    assert all("Content Security Policy" in each for each in report.said)
    assert len(report.said) >= 2
    report.said.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, file: Path, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: `make report-test` installs it")
    with opened(browser, file, scheme) as found:
        found.page.locator("#cracks tbody button").first.click()
        found.page.evaluate(AXE.read_text(encoding="utf-8"))
        violations = found.page.evaluate("axe.run()")["violations"]
    serious = [each for each in violations if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in serious] == []
