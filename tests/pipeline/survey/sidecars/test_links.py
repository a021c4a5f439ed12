"""What a link beside an image leads to outside the survey is not read."""

from pathlib import Path

import pytest
import rasterio
from rasters.survey_files import UTM_1_MM, look, refusal, write

WORLD = "0.001\n0\n0\n-0.001\n500000.0005\n5499999.9995\n"
OF_ANOTHER_ROAD = "0.001\n0\n0\n-0.001\n600000.0005\n5499999.9995\n"
PRJ = rasterio.crs.CRS.from_epsg(25832).to_wkt(version="WKT1_ESRI")


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """A JPEG, its world file and its .prj."""
    path = write(tmp_path / "survey" / "a.jpg", driver="JPEG", crs=None, transform=None)
    path.with_suffix(".jgw").write_text(WORLD)
    path.with_suffix(".prj").write_text(PRJ)
    return path


def replaced_by_link(file: Path, content: str, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    target.write_text(content)
    file.unlink(missing_ok=True)
    file.symlink_to(target)


@pytest.mark.parametrize(("suffix", "content"), [(".jgw", OF_ANOTHER_ROAD), (".prj", PRJ)])
def test_a_place_that_another_folder_gives_is_refused(photograph: Path, suffix: str, content: str) -> None:
    link = photograph.with_suffix(suffix)
    replaced_by_link(link, content, photograph.parents[1] / "another" / "file")
    error = refusal(photograph)
    assert error.reason == "symlink-outside"
    assert f"a{suffix} beside it is a link that leaves the survey folder" in error.message
    assert f"a{suffix}" in error.remedy


@pytest.mark.parametrize(("suffix", "content"), [(".jgw", WORLD), (".prj", PRJ)])
def test_a_link_inside_the_survey_is_followed(photograph: Path, suffix: str, content: str) -> None:
    replaced_by_link(photograph.with_suffix(suffix), content, photograph.parent / "shared" / "file")
    assert tuple(look(photograph).transform) == pytest.approx(tuple(UTM_1_MM), abs=1e-9)


def test_an_own_place_stays_where_a_neighbour_leads_out(tmp_path: Path) -> None:
    path = write(tmp_path / "survey" / "a.tif")
    replaced_by_link(path.with_suffix(".tfw"), OF_ANOTHER_ROAD, tmp_path / "another" / "file")
    replaced_by_link(Path(f"{path}.aux.xml"), "<PAMDataset><SRS>", tmp_path / "another" / "aux")
    image = look(path)
    assert image.transform == UTM_1_MM
    assert image.warnings == ("a.tfw is a link that leaves the survey folder, which is not followed",)
