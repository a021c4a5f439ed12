"""Files of corrected lines: what is read, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from analyst import saved, truth

from crackpipe.pipeline.dataset import reviewed
from crackpipe.pipeline.errors import UsageError


def test_lines_without_width_and_of_other_classes(tmp_path: Path) -> None:
    table = truth()
    table.loc[0, "width_mm"] = None
    table["class"] = ["crack", None, "joint"]
    lines = reviewed.read_lines(saved(table, tmp_path / "cracks.gpkg"), default_width_mm=2.0)
    assert lines.width_mm.tolist() == [2.0, 2.5]
    assert (lines.without_width, lines.other_classes) == (1, {"joint": 1})
    drawn_anew = saved(table[["geometry"]].set_geometry(table.boundary.convex_hull), tmp_path / "new.gpkg")
    lines = reviewed.read_lines(drawn_anew, default_width_mm=3.0)
    assert lines.width_mm.tolist() == [3.0] * 3
    assert lines.image_id.tolist() == [None] * 3


@pytest.mark.parametrize(
    ("spoil", "suffix", "message"),
    [
        (lambda t: t.set_crs(None, allow_override=True), ".gpkg", "names no CRS"),
        (lambda t: t.set_geometry(t.buffer(1)), ".gpkg", "are no lines .first: Polygon"),
        (lambda t: t.assign(width_mm=[1.0, -2.0, 3.0]), ".gpkg", "-2 in 1 rows, but must be above 0"),
        (lambda t: t.assign(width_mm=["1", "thin", "3"]), ".parquet", "no number.*thin"),
    ],
    ids=["no CRS", "polygons", "negative width", "width in words"],
)
def test_files_that_cannot_be_used_are_named(spoil: Any, suffix: str, message: str, tmp_path: Path) -> None:
    file = saved(spoil(truth()), tmp_path / f"cracks{suffix}")
    with pytest.raises(UsageError, match=message) as raised:
        reviewed.read_lines(file, default_width_mm=2.0)
    assert str(file) in str(raised.value)


def test_several_layers_need_a_choice(tmp_path: Path) -> None:
    file = tmp_path / "cracks.gpkg"
    truth().to_file(file, layer="before")
    truth().iloc[:1].to_file(file, layer="after")
    with pytest.raises(UsageError, match=r"2 layers with geometries \(before, after\).*--layer"):
        reviewed.read_lines(file, default_width_mm=2.0)
    assert len(reviewed.read_lines(file, default_width_mm=2.0, layer="after").lines) == 1
    with pytest.raises(UsageError, match="no layer 'never'"):
        reviewed.read_lines(file, default_width_mm=2.0, layer="never")


def test_a_text_is_no_file_of_lines(tmp_path: Path) -> None:
    file = tmp_path / "cracks.gpkg"
    file.write_text("x_m, y_m")
    with pytest.raises(UsageError, match=r"cannot be read.*Export it"):
        reviewed.read_lines(file, default_width_mm=2.0)
