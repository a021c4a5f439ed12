"""What a survey tells of its delivery is on the map and in the list."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import Geod

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.told import told_by
from crackpipe.pipeline.report import report as story


def data_of(page: Path) -> Any:
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL
    )
    assert found is not None
    return json.loads(found.group(1))


def test_a_survey_tells_track_and_oddities(delivered: Path) -> None:
    told = told_by(delivered)
    assert told is not None
    assert [len(part) for part in told.parts] == [5, 2]
    assert {(event.kind, event.frame) for event in told.events} == {
        ("gap", "0003.jpg"),
        ("gap", "0004.jpg"),
        ("jump", "0006.jpg"),
        ("set aside", "0005.jpg"),
        ("no frame", "line 6"),
    }
    nobodys = next(event for event in told.events if event.kind == "no frame")
    # it is where the frame without a place should be, 0.5 m behind the one before it
    _, _, away_m = Geod(ellps="GRS80").inv(*told.parts[0][3], *nobodys.lonlat[0])
    assert away_m == pytest.approx(0.5, abs=0.01)
    assert told.lines[-1] == "1 positions without a frame, the first in line 6."
    aside = next(event for event in told.events if event.kind == "set aside")
    assert aside.said == "no-position: positions.csv does not name it"
    # beside the frame before it
    assert np.allclose(aside.lonlat, told.parts[0][3], atol=1e-9)


def test_the_report_has_them_in_centimetres_on_its_map(output: Path, delivered: Path, tmp_path: Path) -> None:
    shutil.copytree(output, tmp_path / "out")
    data = data_of(story.report(tmp_path / "out", [delivered]).path)
    (one,) = data["deliveries"]
    assert one["name"] == "survey"
    assert any("1 jumps of the position" in line for line in one["lines"])
    assert data["tracks"]["count"] == 2
    jump = next(places for kind, _, _, places in one["events"] if kind == "jump")
    assert jump[2] - jump[0] == pytest.approx(30_050, abs=15)


def test_a_survey_of_images_alone_has_no_delivery(output: Path, tmp_path: Path) -> None:
    shutil.copytree(output, tmp_path / "out")
    data = data_of(story.report(tmp_path / "out").path)
    assert (data["deliveries"], data["tracks"]) == ([], None)


def test_a_record_that_was_damaged_is_named(delivered: Path, tmp_path: Path) -> None:
    shutil.copytree(delivered, tmp_path / "survey")
    (tmp_path / "survey" / "delivery.json").write_text('{"gaps": 3}')
    with pytest.raises(UsageError, match=r"cannot be read.*Call `crackpipe frames` again"):
        told_by(tmp_path / "survey")
