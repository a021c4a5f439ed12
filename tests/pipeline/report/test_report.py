"""The report as a file: what is in it, that it fetches nothing, and that hostile names stay text."""

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.report import report as story


class Page(HTMLParser):
    """Elements of a page: (tag, attributes, text)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}", {}, ""))

    def handle_data(self, data: str) -> None:
        if self.found:
            tag, attributes, text = self.found[-1]
            self.found[-1] = (tag, attributes, text + data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, text) for name, attributes, text in self.found if name == tag]

    def json(self, name: str) -> Any:
        return next(
            json.loads(text) for attributes, text in self.all("script") if attributes.get("id") == name
        )


@pytest.fixture(scope="module")
def reported(output: Path) -> story.Reported:
    return story.report(output)


@pytest.fixture(scope="module")
def page(reported: story.Reported) -> Page:
    return Page(reported.path.read_text(encoding="utf-8"))


def test_each_crack_is_on_the_map_and_has_a_picture(output: Path, page: Page) -> None:
    cracks = pq.read_table(output / "cracks.parquet")
    data = page.json("data")
    assert data["cracks"]["count"] == cracks.num_rows > 0
    assert data["lengths"]["total_m"] == pytest.approx(sum(cracks.column("length_m").to_pylist()))
    pictures = page.json("pictures")
    assert [each["crack"] for each in pictures] == list(range(cracks.num_rows))
    for each in pictures:
        assert base64.b64decode(each["road"])[8:12] == b"WEBP"
        assert base64.b64decode(each["mask"])[1:4] == b"PNG"


def test_the_ground_counts_once_as_the_cracks_do(output: Path, page: Page) -> None:
    (counts, told) = json.loads((output / "run.json").read_text())["counts"], page.json("data")["coverage"]
    assert told["ground_m2"] == counts["ground_m2"] > 0


def test_a_class_that_the_masks_do_not_name_ends_no_report(output: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(output, copy)
    cracks = pq.read_table(copy / "cracks.parquet")
    at = cracks.schema.get_field_index("class")
    others = pa.array(["pothole"] * cracks.num_rows, pa.string())
    pq.write_table(cracks.set_column(at, cracks.schema.field(at), others), copy / "cracks.parquet")
    reported = story.report(copy)
    assert reported.cut_outs.pictures == []
    assert set(reported.cut_outs.missing.values()) == {
        "its mask knows no class 'pothole', which cracks.parquet names"
    }


def test_images_that_were_set_aside_stand_there_with_their_remedies(output: Path, page: Page) -> None:
    rows = pq.read_table(output / "images.parquet").to_pylist()
    aside = [row for row in rows if row["status"] != "done"]
    told = page.json("data")["quarantine"]
    assert [row["image_id"] for row in told] == [row["image_id"] for row in aside]
    assert all(row["remedy"] for row in told)


def test_the_page_runs_its_own_scripts_and_fetches_nothing(page: Page, reported: story.Reported) -> None:
    policies = [each["content"] for each, _ in page.all("meta") if each.get("http-equiv")]
    (policy,) = policies
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "unsafe" not in policy
    assert "eval" not in policy
    scripts = [text for attributes, text in page.all("script") if "type" not in attributes]
    styles = [text for _, text in page.all("style")]
    for name, texts in (("script-src", scripts), ("style-src", styles)):
        hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        assert rules[name] == " ".join(f"'sha256-{each}'" for each in hashes)
    assert not [attributes for tag, attributes, _ in page.found if {"src", "style"} & set(attributes)]
    assert not [name for _, attributes, _ in page.found for name in attributes if name.startswith("on")]
    assert all((each.get("href") or "").startswith("#") for each, _ in page.all("a"))
    assert "sourceMappingURL" not in reported.path.read_text(encoding="utf-8")


def test_the_library_is_that_of_its_npm_package_and_has_its_licence(page: Page) -> None:
    folder = Path(story.__file__).parent / "page" / "leaflet"
    # sha256sum of package/dist/ in leaflet-1.9.4.tgz of the npm registry
    sums = {
        "leaflet.js": "db49d009c841f5ca34a888c96511ae936fd9f5533e90d8b2c4d57596f4e5641a",
        "leaflet.css": "a7837102824184820dfa198d1ebcd109ff6d0ff9a2672a074b9a1b4d147d04c6",
    }
    for name, expected in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected
    (licence,) = [text for _, text in page.all("pre")]
    assert "BSD 2-Clause License" in licence
    assert "Volodymyr Agafonkin" in licence


def test_the_same_output_gives_the_same_bytes(output: Path, reported: story.Reported) -> None:
    before = reported.path.read_bytes()
    assert story.report(output).path.read_bytes() == before


def test_no_folder_of_this_machine_is_told(survey: Path, output: Path, reported: story.Reported) -> None:
    text = reported.path.read_text(encoding="utf-8")
    assert str(survey.parent) not in text
    assert str(output.parent) not in text


def test_hostile_names_stay_text(hostile: Path, hostile_text: str, page: Page) -> None:
    reported = story.report(hostile)
    text = reported.path.read_text(encoding="utf-8")
    theirs = Page(text)
    assert [tag for tag, _, _ in theirs.found] == [tag for tag, _, _ in page.found]
    assert hostile_text in theirs.json("data")["title"]
    assert hostile_text in theirs.json("data")["quarantine"][0]["remedy"]
    assert not re.search(r"<img|onerror=alert\(2\)>", text)


def test_without_the_images_the_report_says_what_is_missing(output: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(output, copy)
    record = json.loads((copy / "run.json").read_text())
    record["survey"] = [str(tmp_path / "gone")]
    (copy / "run.json").write_text(json.dumps(record))
    reported = story.report(copy)
    assert reported.cut_outs.pictures == []
    assert "pictures are missing" in "\n".join(story.summary_lines(reported))
    data = Page(reported.path.read_text(encoding="utf-8")).json("data")
    assert data["cracks"]["count"] > 0
    assert {"lane1/a.tif"} <= {each["image_id"] for each in data["without_picture"]}


def test_an_image_that_changed_since_the_run_gives_no_picture(
    output: Path, survey: Path, tmp_path: Path
) -> None:
    copy, images = tmp_path / "out", tmp_path / "survey"
    shutil.copytree(output, copy)
    shutil.copytree(survey, images)
    with (images / "lane1" / "a.tif").open("ab") as file:
        file.write(b"\0")
    reported = story.report(copy, [images])
    assert reported.cut_outs.missing == {"lane1/a.tif": "the image is not the one that was inspected"}
    assert reported.cut_outs.pictures


def test_a_run_without_cracks_and_one_without_any_place_are_reported(output: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(output, copy)
    table = pq.read_table(copy / "cracks.parquet")
    pq.write_table(table.slice(0, 0), copy / "cracks.parquet")
    data = Page(story.report(copy).path.read_text(encoding="utf-8")).json("data")
    assert data["cracks"]["count"] == 0
    assert data["lengths"]["total_m"] == 0
    for name in ("cracks.parquet", "images.parquet"):
        rows = pq.read_table(copy / name)
        index = rows.schema.get_field_index("geometry")
        nowhere = pa.nulls(rows.num_rows, pa.binary())
        pq.write_table(rows.set_column(index, "geometry", nowhere).replace_schema_metadata(None), copy / name)
    data = Page(story.report(copy).path.read_text(encoding="utf-8")).json("data")
    assert data["cracks"] is None
    assert set(data["images"]["corners_cm"]) == {None}


@pytest.mark.parametrize(
    ("name", "column", "command"),
    [("cracks.parquet", "width_flag", "run"), ("sections.parquet", "coverage", "sections")],
)
def test_a_table_of_an_older_version_is_refused_with_the_remedy(
    with_sections: Path, tmp_path: Path, name: str, column: str, command: str
) -> None:
    copy = tmp_path / "out"
    shutil.copytree(with_sections, copy)
    pq.write_table(pq.read_table(copy / name).drop_columns([column]), copy / name)
    with pytest.raises(UsageError, match=f"{name} has no column {column}.*`crackpipe {command}` again"):
        story.report(copy)


def test_what_is_no_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no output of crackpipe run"):
        story.report(tmp_path)
