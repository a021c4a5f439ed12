"""The latest state of each section, on tables that can be checked by eye."""

import pyarrow as pa
import pytest

from crackpipe.pipeline.network.latest import latest
from crackpipe.pipeline.network.parts import SECTIONS_OF_ALL, UNKNOWN


def seen(survey: str, **coverages: float) -> pa.Table:
    """Sections of a survey: name -> coverage."""
    names = list(coverages)
    known = {"survey": [survey] * len(names), "section_id": names, "coverage": list(coverages.values())}
    columns = [pa.array(known.get(field.name, [None] * len(names)), field.type) for field in SECTIONS_OF_ALL]
    return pa.table(columns, schema=pa.schema([each.with_nullable(True) for each in SECTIONS_OF_ALL]))


def chosen(*parts: tuple[str, str, pa.Table]) -> dict[str, str]:
    """Section -> survey whose row counts; the same for every order of the parts."""
    found = [latest(each) for each in (parts, parts[::-1])]
    assert found[0].equals(found[1])
    return dict(zip(found[0]["section_id"].to_pylist(), found[0]["survey"].to_pylist(), strict=True))


OLD = ("north", "2024", seen("old", a=1.0, b=0.9, c=0.4))


def test_the_newest_year_counts() -> None:
    assert chosen(OLD, ("north", "2025", seen("new", a=0.5, d=0.1))) == {
        "a": "new", "b": "old", "c": "old", "d": "new",
    }  # fmt: skip


@pytest.mark.parametrize(("coverage", "survey"), [(0.49, "old"), (0.5, "new")])
def test_a_survey_that_saw_little_hides_no_older_one(coverage: float, survey: str) -> None:
    assert chosen(OLD, ("south", "2025", seen("new", a=coverage)))["a"] == survey


def test_where_none_saw_much_the_largest_coverage_counts() -> None:
    assert chosen(OLD, ("south", "2025", seen("new", c=0.3)))["c"] == "old"
    assert chosen(OLD, ("south", "2025", seen("new", c=0.45)))["c"] == "new"


def test_what_has_no_year_is_older_than_all() -> None:
    assert chosen(OLD, ("south", UNKNOWN, seen("x", a=1.0, b=1.0, c=0.9))) == {
        "a": "old", "b": "old", "c": "x",
    }  # fmt: skip


def test_year_and_source_are_columns() -> None:
    table = latest([OLD, ("south", UNKNOWN, seen("x", e=1.0))])
    assert table["year"].to_pylist() == [2024, 2024, 2024, None]
    assert table["source"].to_pylist() == ["north", "north", "north", "south"]
    assert latest([]).num_rows == 0
