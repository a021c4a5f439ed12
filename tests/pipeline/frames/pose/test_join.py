"""Which line of a table belongs to which frame."""

from pathlib import Path

import numpy as np
import pytest

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.frames.files.exif import Exif
from crackpipe.pipeline.frames.files.listing import Frame
from crackpipe.pipeline.frames.pose.join import join_by_name
from crackpipe.pipeline.frames.positions.table import Positions, unknown


def frame(name: str) -> Frame:
    return Frame(name=name, path=Path(name), height_px=1, width_px=1, exif=Exif())


def positions(*names: str, xy: list[list[float]] | None = None) -> Positions:
    places = xy or [[float(number), 0.5] for number in range(len(names))]
    return Positions(
        source="a.csv",
        lines=[number + 2 for number in range(len(names))],
        names=list(names),
        xy=np.array(places),
        crs="EPSG:4326",
        crs_from="",
        heading=unknown(len(names)),
        time_s=unknown(len(names)),
    )


@pytest.mark.parametrize(
    "written",
    ["lane1/0001.jpg", "D:\\2025\\Lane1\\0001.JPG", "./lane1/0001.jpg", "0001.jpg", "0001", "0001.tif"],
)
def test_a_frame_is_found_however_its_path_is_written(written: str) -> None:
    found = join_by_name([frame("lane1/0001.jpg")], positions("0002.jpg", written))
    assert [number for _, number in found.pairs] == [1]
    assert found.unused == [0]


def test_folders_tell_frames_of_one_name_apart() -> None:
    frames = [frame("lane1/0001.jpg"), frame("lane2/0001.jpg")]
    found = join_by_name(frames, positions("x/lane2/0001.jpg", "x/lane1/0001.jpg"))
    assert [number for _, number in found.pairs] == [1, 0]


@pytest.mark.parametrize("written", ["lane1/0001.jpg", "D:\\2025\\lane1\\0001.jpg", "lane1/0001"])
def test_a_line_with_a_folder_is_of_the_frame_in_that_folder_alone(written: str) -> None:
    frames = [frame("lane1/0001.jpg"), frame("lane2/0001.jpg")]
    found = join_by_name(frames, positions(written))
    assert [(each.name, number) for each, number in found.pairs] == [("lane1/0001.jpg", 0)]
    assert [(each.name, each.reason) for each in found.aside] == [("lane2/0001.jpg", "no-position")]


def test_a_frame_does_not_get_the_line_of_a_missing_frame_in_another_folder() -> None:
    frames = [frame("lane1/0002.jpg"), frame("lane2/0001.jpg")]
    found = join_by_name(frames, positions("lane1/0001.jpg", "lane1/0002.jpg"))
    assert [(each.name, number) for each, number in found.pairs] == [("lane1/0002.jpg", 1)]
    assert [(each.name, each.reason) for each in found.aside] == [("lane2/0001.jpg", "no-position")]
    assert found.unused == [0]


def test_folders_of_another_machine_say_nothing_where_none_is_of_a_frame() -> None:
    frames = [frame("lane1/0001.jpg"), frame("lane2/0002.jpg")]
    found = join_by_name(frames, positions("D:\\raw\\0001.jpg", "D:\\raw\\0002.jpg"))
    assert [number for _, number in found.pairs] == [0, 1]


def test_a_frame_in_no_folder_may_have_had_one_on_another_machine() -> None:
    frames = [frame("0001.jpg"), frame("0002.jpg"), frame("lane1/0003.jpg")]
    written = ["D:\\raw\\0001.jpg", "D:\\raw\\lane1\\0002.jpg", "D:\\raw\\lane1\\0003.jpg"]
    found = join_by_name(frames, positions(*written))
    assert [(each.name, number) for each, number in found.pairs] == [("0001.jpg", 0), ("lane1/0003.jpg", 2)]


def test_one_position_is_not_given_to_two_frames() -> None:
    frames = [frame("lane1/0001.jpg"), frame("lane2/0001.jpg"), frame("lane2/0002.jpg")]
    found = join_by_name(frames, positions("0001.jpg", "0002.jpg"))
    assert [each.name for each, _ in found.pairs] == ["lane2/0002.jpg"]
    assert [(each.name, each.reason) for each in found.aside] == [
        ("lane1/0001.jpg", "name-twice"),
        ("lane2/0001.jpg", "name-twice"),
    ]


def test_two_places_for_one_frame_are_none() -> None:
    places = [[1.0, 1.0], [1.0, 1.0], [2.0, 2.0], [2.1, 2.0]]
    found = join_by_name(
        [frame("a.jpg"), frame("b.jpg")], positions("a.jpg", "a.jpg", "b.jpg", "b.jpg", xy=places)
    )
    assert [each.name for each, _ in found.pairs] == ["a.jpg"]
    assert found.aside[0].reason == "two-positions"
    assert "lines 4 and 5" in found.aside[0].said


def test_names_of_another_survey_end_the_command() -> None:
    with pytest.raises(UsageError, match=r"not one of 1 frames .* 'a\.jpg', line 2 names 'b\.jpg'"):
        join_by_name([frame("a.jpg")], positions("b.jpg"))
