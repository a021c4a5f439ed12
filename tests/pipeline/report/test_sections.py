"""Sections in a report: the worst first, those that nobody inspected last, never those of other cracks."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from crackpipe.cli import cli
from crackpipe.pipeline.report import report as story
from crackpipe.pipeline.report.sections import read_sections
from crackpipe.pipeline.report.tables import read_tables


def test_the_most_crack_area_comes_first_and_what_was_not_inspected_last(with_sections: Path) -> None:
    tables = read_tables(with_sections, None)
    sections = read_sections(with_sections, tables)
    assert sections is not None
    areas = [row["area_cm2_per_m2"] for row in sections.rows]
    known = [each for each in areas if each is not None]
    assert len(known) >= 2
    assert known == sorted(known, reverse=True)
    assert areas == known + [None] * (len(areas) - len(known))
    assert all(row["coverage"] == 0 for row in sections.rows[len(known) :])


def test_the_area_is_that_of_the_sections_table(with_sections: Path) -> None:
    sections = read_sections(with_sections, read_tables(with_sections, None))
    assert sections is not None
    rows = pq.read_table(with_sections / "sections.parquet").to_pylist()
    expected = {row["section_id"]: row["crack_area_m2"] for row in rows if row["crack_area_m2"] is not None}
    for row in sections.rows:
        if row["section_id"] in expected:
            cm2 = 1e4 * expected[row["section_id"]] / row["inspected_m2"]
            assert row["area_cm2_per_m2"] == pytest.approx(cm2)


def test_cracks_belong_to_the_section_where_they_are(with_sections: Path) -> None:
    tables = read_tables(with_sections, None)
    sections = read_sections(with_sections, tables)
    assert sections is not None
    placed = pq.read_table(with_sections / "section_cracks.parquet").to_pylist()
    said = {row["crack_id"]: row["section_id"] for row in placed}
    for crack, index in zip(tables.cracks.crack_id, sections.section, strict=True):
        assert said[crack] == (sections.rows[index]["section_id"] if index >= 0 else None)
    worst = sections.worst()
    assert all(np.all(sections.section[rows] == place) for place, rows in enumerate(worst))


def test_sections_of_other_cracks_are_left_out_and_it_is_said(with_sections: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(with_sections, copy)
    table = pq.read_table(copy / "cracks.parquet")
    pq.write_table(table.slice(0, table.num_rows - 1), copy / "cracks.parquet")
    reported = story.report(copy)
    assert reported.stale_sections
    assert "run `crackpipe sections` again" in "\n".join(story.summary_lines(reported))


def test_new_sections_say_that_a_report_is_of_earlier_ones(with_sections: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(with_sections, copy)
    said = []
    for _ in range(2):
        result = CliRunner().invoke(cli, ["sections", str(copy), "--length", "50m"])
        assert result.exit_code == 0, result.output
        said.append(f"report.html was made before these sections: crackpipe report {copy}" in result.output)
        story.report(copy)
    assert said == [False, True]
