"""Each bad file ends exactly as docs/use/bad-input.md says, and the good ones beside it do not notice."""

import ast
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bad_files
import pyarrow.parquet as pq
import pytest
from affine import Affine
from helpers import crack, write_scene
from paths import ROOT

from crackpipe.model.render.picture import clean_scene
from crackpipe.pipeline import run as story
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.plan import archives_line
from crackpipe.pipeline.publish import Summary
from crackpipe.pipeline.request import Request

GOOD = ("good/a.tif", "good/b.tif")
Row = dict[str, Any]


def table_of_the_docs() -> dict[str, tuple[str, str, str]]:
    """What is wrong -> how it ends, sentence, remedy."""
    lines = (ROOT / "docs" / "use" / "bad-input.md").read_text(encoding="utf-8").splitlines()
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("| ")]
    rows = [[cell.strip().replace("\\|", "|").replace("&lt;", "<") for cell in row] for row in cells]
    catalogue = [row for row in rows if len(row) == 4 and row[0] != "what is wrong"]
    return {what: (ends.strip("`"), sentence, remedy) for what, ends, sentence, remedy in catalogue}


TABLE = table_of_the_docs()


def write_good(survey: Path) -> None:
    scene = clean_scene(300, 420, seed=1, cracks=(crack(40, 60, 260, 380, 5.0),))
    write_scene(survey / GOOD[0], scene)
    write_scene(survey / GOOD[1], clean_scene(300, 300, seed=2), x=500_001.0)


def inspect_survey(survey: Path, out: Path) -> Summary:
    return story.run(Request((survey,), out, Config(), serial=True))


def rows_of(out: Path, table: str) -> list[Row]:
    rows: list[Row] = pq.read_table(out / f"{table}.parquet").to_pylist()
    return rows


def good_rows(out: Path) -> list[list[Row]]:
    """Rows of the good images in both tables. The order of cracks follows the bounds of all images."""
    cracks = sorted((row for row in rows_of(out, "cracks") if row["image_id"] in GOOD), key=repr)
    return [cracks, [row for row in rows_of(out, "images") if row["image_id"] in GOOD]]


def good_masks(out: Path) -> dict[Path, bytes]:
    group = out / "masks.zarr" / "good"
    return {file.relative_to(group): file.read_bytes() for file in group.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of the good images without any bad one."""
    folder = tmp_path_factory.mktemp("alone")
    write_good(folder / "survey")
    assert inspect_survey(folder / "survey", folder / "out").exit_code == 0
    return folder / "out"


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    """The result of the good images among all bad ones."""
    folder = tmp_path_factory.mktemp("catalogue")
    write_good(folder / "survey")
    bad_files.build(folder / "survey")
    return folder / "out", inspect_survey(folder / "survey", folder / "out")


@pytest.fixture(scope="module")
def image_rows(catalogue: tuple[Path, Summary]) -> dict[str, Row]:
    return {row["image_id"]: row for row in rows_of(catalogue[0], "images")}


@pytest.mark.parametrize("case", bad_files.CASES, ids=lambda case: case.what)
def test_ends_as_the_table_says(case: bad_files.Case, image_rows: dict[str, Row]) -> None:
    row = image_rows[bad_files.image_id_of(case)]
    ends, sentence, remedy = TABLE[case.what]
    assert ends == ("done" if row["status"] == "done" else row["reason"])
    if ends == "done":
        assert (row["message"] or "", row["remedy"] or "") == (sentence, remedy)
        assert row["inspected_m2"] > 0
        return
    # what follows "..." are a library's own words, which change with its version
    start, _, others_words = sentence.partition("...")
    assert row["message"].startswith(start) if others_words or "..." in sentence else row["message"] == start
    assert row["remedy"] == remedy
    assert row["inspected_m2"] is None


def test_every_case_is_in_the_table_and_the_other_way_round() -> None:
    assert {case.what for case in bad_files.CASES} | set(WHILE_READ) == set(TABLE)


def test_good_neighbours_are_unaffected(catalogue: tuple[Path, Summary], alone: Path) -> None:
    out, summary = catalogue
    assert summary.exit_code == 3
    assert good_rows(alone)[0]
    assert good_rows(out) == good_rows(alone)
    assert good_masks(out) == good_masks(alone)


def test_what_was_not_inspected_is_counted(image_rows: dict[str, Row]) -> None:
    pixel_m2 = 1e-6 / 0.9996**2
    whole = 120 * 180
    hidden = {
        "some blocks never written": whole - 64 * 64,
        "a collar of alpha": 120 * 20,
        "a collar of nodata": 120 * 20,
        "mirrored": 0,
    }
    cases = {case.what: case for case in bad_files.CASES}
    for what, hidden_px in hidden.items():
        row = image_rows[bad_files.image_id_of(cases[what])]
        assert row["uninspected_m2"] == pytest.approx(hidden_px * pixel_m2, rel=1e-3), what
        assert row["inspected_m2"] == pytest.approx((whole - hidden_px) * pixel_m2, rel=1e-3), what


def test_whatever_is_not_inspected_is_told(image_rows: dict[str, Row]) -> None:
    done = [row for row in image_rows.values() if row["status"] == "done"]
    told = {row["image_id"] for row in done if "not inspected" in (row["message"] or "")}
    assert told == {row["image_id"] for row in done if row["uninspected_m2"] > 0}
    assert len(told) > 5


def test_four_names_that_differ_in_suffix_or_case_are_four_images(image_rows: dict[str, Row]) -> None:
    (case,) = (case for case in bad_files.CASES if case.what.startswith("four names"))
    folder = bad_files.folder_of(case)
    for name in ("a.tif", "a.tiff", "a.TIF", "A.tif"):
        assert image_rows[f"{folder}/{name}"]["status"] == "done"


@pytest.mark.parametrize("exclude", [(), ("*.zip",)])
def test_an_archive_is_named_once_and_brings_no_exit_3(
    exclude: tuple[str, ...], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = Affine(0.001, 0, 500_100, 0, -0.001, 5_400_000)
    bad_files.write(tmp_path / "survey/a.tif", place)
    (tmp_path / "survey/old.zip").touch()
    request = Request((tmp_path / "survey",), tmp_path / "out", Config(exclude=exclude), serial=True)
    assert story.run(request).exit_code == 0
    lines = [message for message in caplog.messages if "archive" in message]
    assert lines == ([] if exclude else [archives_line(["old.zip"])])
    assert [row["image_id"] for row in rows_of(tmp_path / "out", "images")] == ["a.tif"]


# ---- files that change while the run works: after they were looked at, before they are read


def touched(file: Path) -> None:
    os.utime(file, ns=(0, 1))


def replaced_by_a_link(file: Path) -> None:
    elsewhere = file.rename(file.parents[2] / "elsewhere.tif")
    os.utime(elsewhere, ns=(0, 1))
    file.symlink_to(elsewhere)


WHILE_READ: dict[str, Callable[[Path], None]] = {
    "changes while it is read": touched,
    "vanishes while it is read": Path.unlink,
    "becomes a link while it is read": replaced_by_a_link,
}


@pytest.mark.parametrize("what", WHILE_READ)
def test_files_that_change_while_read(
    what: str, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey, out = tmp_path / "survey", tmp_path / "out"
    write_good(survey)
    file = bad_files.write(survey / "bad" / "a.tif", Affine(0.001, 0, 500_100, 0, -0.001, 5_400_000))
    prepare = story.prepare

    def change_and_prepare(*arguments: Any) -> None:
        WHILE_READ[what](file)
        prepare(*arguments)

    monkeypatch.setattr(story, "prepare", change_and_prepare)
    assert inspect_survey(survey, out).exit_code == 3
    (row,) = (row for row in rows_of(out, "images") if row["image_id"] == "bad/a.tif")
    assert (row["reason"], row["message"], row["remedy"]) == TABLE[what]
    assert good_rows(out) == good_rows(alone)


# ---- the codes


def codes_in_the_code() -> set[str]:
    """Every reason that is given: to ImageRejectedError first, to `_rejected` and `Rejected.of` second."""
    codes = set()
    for file in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = ast.unparse(node.func)
            second = name in ("_rejected", "Rejected.of") and len(node.args) > 1
            first = node.args[1 if second else 0]
            if (second or name in ("ImageRejectedError", "_rejected")) and isinstance(first, ast.Constant):
                codes.add(str(first.value))
    return codes


def codes_in_the_docs() -> set[str]:
    text = (ROOT / "docs" / "use" / "bad-input.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- `([a-z0-9-]+)`", text, re.MULTILINE)
    return {ends for ends, _, _ in TABLE.values() if ends != "done"} | set(listed)


def test_the_docs_know_every_code_and_no_other() -> None:
    # raised through a variable
    by_expression = {"unreadable-file", "unreadable-folder", "worker-died", "out-of-memory"}
    assert codes_in_the_code() | by_expression == codes_in_the_docs()
