"""survey.toml: the date, and which way the vehicle went."""

from datetime import date
from pathlib import Path

import pytest

from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.survey.files.facts import SurveyFacts, read_facts


def facts(folder: Path, text: str) -> SurveyFacts:
    (folder / "survey.toml").write_text(text)
    return read_facts(folder)


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert read_facts(tmp_path) == SurveyFacts()


def test_date_and_direction(tmp_path: Path) -> None:
    text = 'acquired = 2025-05-01\ntravel_deg = 37\n[travel]\n"lane1/*" = 10.5\n"lane?/*" = 190\n'
    found = facts(tmp_path, text)
    assert found.acquired == date(2025, 5, 1)
    assert [found.travel_deg_of(path) for path in ("a.tif", "lane1/b.tif", "lane2/b.tif")] == [37, 10.5, 190]


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "survey.toml").write_text("travel_deg = 37\n", encoding="utf-8-sig")
    assert read_facts(tmp_path).travel_deg == 37


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("travel_deg = 'north'", "travel_deg is 'north', but must be a number of degrees"),
        ("travel_deg = true", "must be a number of degrees"),
        ("travel = 30", "travel is 30, but must be a table"),
        ("[travel]\n'a/*' = nan", r"travel of 'a/\*' is nan, but must be a number"),
        ("travel_deg 30", "cannot be read as TOML"),
    ],
)
def test_what_it_cannot_be(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        facts(tmp_path, text)
