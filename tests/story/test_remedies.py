"""Every remedy of docs/use/bad-input.md that is a command is followed, and the file is accepted afterwards.

The commands are GDAL's (`gdal-bin` of Debian and Ubuntu), which `make remedies` installs. Without them the
tests are skipped.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import bad_files
import pytest
from affine import Affine
from paths import ROOT

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.raster.validity.reasons import pixels_by_reason
from crackpipe.pipeline.survey.load import Survey, load_survey

COMMAND = re.compile(r"(?:gdal_translate|gdalwarp|mv) .*")
WORDS = {"EPSG:...": "EPSG:25832", "XOFF YOFF XSIZE YSIZE": "0 0 400 300", "MIN MAX": "0 255"}
WORDS |= {"-b R -b G -b B": "-b 1 -b 2 -b 1"}
PLACE = Affine(0.001, 0, 500_100, 0, -0.001, 5_400_000)

needs_gdal = pytest.mark.skipif(shutil.which("gdal_translate") is None, reason="gdal-bin is not installed")


def commands_of_the_docs() -> dict[str, str]:
    """What is wrong -> the command of its remedy."""
    lines = (ROOT / "docs/use/bad-input.md").read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| ") and line.count(" | ") >= 3]
    found = {row[0][2:]: COMMAND.search(row[-1].removesuffix(" |")) for row in rows}
    return {what: match[0] for what, match in found.items() if match}


def huge_strip(folder: Path, place: Affine) -> None:
    bad_files.empty(folder / "a.tif", place, width=10_000, height=9_100, blockysize=9_100)


def many_blocks(folder: Path, place: Affine) -> None:
    tiny = {"tiled": True, "blockxsize": 16, "blockysize": 16}
    bad_files.empty(folder / "a.tif", place, width=32_100, height=32_000, count=1, **tiny)


def jpeg_2000(folder: Path, place: Affine) -> None:
    source = bad_files.write(folder.parent / "source.tif", place)
    command = ["gdal_translate", "-q", "-of", "JP2OpenJPEG", str(source), str(folder / "a.jp2")]
    subprocess.run(command, check=True)


def jpeg_with_world_file(folder: Path, place: Affine) -> None:
    bad_files.beside(bad_files.bare_photograph(folder / "a.jfif", place), "a.jgw", "a.prj", place)


# Cases whose file in the catalogue is only a header, or lacks what the remedy does not give.
REAL: dict[str, Callable[[Path, Affine], None]] = {
    "blocks of 65,536 x 65,536 px": huge_strip,
    "ten million blocks": many_blocks,
    "another format under its own suffix": jpeg_2000,
    "a JPEG under another suffix": jpeg_with_world_file,
}
# A header that lies about its size: GDAL's tools cannot open it either.
ONLY_A_HEADER = {"a PNG that says it has 100,000 x 100,000 px"}


def follow(command: str, source: Path) -> Path:
    """Run a command of the docs on a file; returns where its result lies."""
    for word, meaning in WORDS.items():
        command = command.replace(word, meaning)
    *words, target = command.split()
    if words[0] == "mv":
        target = target.replace("OUT", source.stem)  # what lies beside belongs to this name
    words = [re.sub(r"^IN$|(?<=:)IN$", str(source), word) for word in words]
    # as a user's shell: without the settings that crackpipe makes for the GDAL in its own process
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("GDAL_", "CPL_"))
    }
    done = subprocess.run(
        [*words, target],
        cwd=source.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return source.parent / target


def survey_of(folder: Path, name: str = "nothing") -> Survey:
    """Everything of a folder but one file."""
    # GDAL reads no .prj beside a PGM, so whoever converts one gives the CRS again
    assumed = "EPSG:25832" if (folder / "a.pgm").exists() else None
    return load_survey([folder], Config(assume_crs=assumed, exclude=(name,)))


def cases_with_a_command() -> list[bad_files.Case]:
    told = commands_of_the_docs().keys() - set(ONLY_A_HEADER)
    return [case for case in bad_files.CASES if case.what in told]


def test_the_docs_give_commands_to_follow() -> None:
    assert cases_with_a_command()


@needs_gdal
@pytest.mark.parametrize("case", cases_with_a_command(), ids=lambda case: case.what)
def test_a_remedy_that_is_a_command_works(case: bad_files.Case, tmp_path: Path) -> None:
    command = commands_of_the_docs()[case.what]
    folder = tmp_path / "survey"
    folder.mkdir()
    REAL.get(case.what, case.make)(folder, PLACE)
    before = survey_of(folder)
    assert [(each.image_id, each.path.name) for each in before.rejected] == [(case.name, case.name)]
    made = follow(command, folder / case.name)
    after = survey_of(folder, case.name)
    assert [image.image_id for image in after.images] == [made.name], after.rejected
    assert after.rejected == ()


@needs_gdal
def test_a_second_page_becomes_a_file_of_its_own(tmp_path: Path) -> None:
    (case,) = (case for case in bad_files.CASES if case.what == "a TIFF of two pages")
    case.make(tmp_path, PLACE)
    (warning,) = survey_of(tmp_path).images[0].warnings
    command = COMMAND.search(warning)
    assert command is not None
    made = follow(command[0], tmp_path / "a.tif")
    assert made.is_file()


@needs_gdal
def test_a_frame_that_is_warped_with_alpha_has_no_collar_that_nothing_declares(tmp_path: Path) -> None:
    source = bad_files.write(tmp_path / "source" / "a.tif", PLACE @ Affine.rotation(20))
    for name, option in (("plain.tif", []), ("alpha.tif", ["-dstalpha"])):
        command = ["gdalwarp", "-q", *option, str(source), str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True)
    with_alpha, plain = survey_of(tmp_path, "source").images
    assert (with_alpha.image_id, plain.image_id) == ("alpha.tif", "plain.tif")
    assert set(reasons_of(with_alpha)) == {"declared"}
    assert set(reasons_of(plain)) == {"collar"}


def reasons_of(image: SurveyImage) -> dict[str, int]:
    """Pixels that are not inspected, by reason."""
    with ImageReader(image) as reader:
        _, reasons = reader.read_with_reasons(Window(0, 0, image.height_px, image.width_px))
    return pixels_by_reason(reasons)


def test_the_docs_hold_commands() -> None:
    assert len(commands_of_the_docs()) >= 10
