"""Coverage-guided fuzzing of what looks at a survey: finding, accepting, placing and reading files.

    pip install atheris
    python benchmarks/faults/fuzz.py CORPUS -max_total_time=600       # libFuzzer's options

Atheris counts which branches of crackpipe's own code an input reaches, keeps those that reach new ones in
CORPUS (started with sound files), and stops at the first that breaks the promise: every file ends as accepted
or rejected, with a reason code, a sentence and a remedy, and none of them is `internal-error`.

An input is the bytes of a file; its first byte says which: .tif, .jpg or .png, the mask beside a sound TIFF,
or the world file, .prj or .aux.xml beside a sound JPEG.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["crackpipe.pipeline"]):
    from crackpipe.pipeline.config import Config
    from crackpipe.pipeline.errors import ImageRejectedError
    from crackpipe.pipeline.geometry.grid import Window
    from crackpipe.pipeline.raster.reader import ImageReader
    from crackpipe.pipeline.survey.load import load_survey

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
from affine import Affine
from bad_files import GREY, TILES, photograph, write

PLACE = Affine(0.001, 0, 500_100, 0, -0.001, 5_400_000)
NAMES = ("a.tif", "a.jpg", "a.png", "b.tif.msk", "c.wld", "c.prj", "c.jpg.aux.xml")
SCRATCH = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
SOUND = SCRATCH / "sound"


def sound_files() -> None:
    """One image for each kind of input, so that a mutated neighbour has something to lie beside."""
    write(SOUND / "a.tif", PLACE, GREY, compress="deflate", **TILES)
    photograph(SOUND / "a.jpg", PLACE, GREY)
    photograph(SOUND / "a.png", PLACE, GREY)
    write(SOUND / "b.tif", PLACE, GREY)
    write(SOUND / "b.tif.msk", PLACE, GREY, compress="deflate", **TILES)
    photograph(SOUND / "c.jpg", PLACE, GREY)
    (SOUND / "c.jpg.aux.xml").write_text("<PAMDataset><SRS>EPSG:4326</SRS></PAMDataset>")


def seeds(corpus: Path) -> None:
    corpus.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(NAMES):
        (corpus / f"sound-{index}").write_bytes(bytes([index]) + (SOUND / name).read_bytes())


def one_input(data: bytes) -> None:
    name = NAMES[data[0] % len(NAMES)] if data else NAMES[0]
    survey = SCRATCH / "survey"
    shutil.rmtree(survey, ignore_errors=True)
    survey.mkdir()
    stem = name.split(".")[0]
    for file in SOUND.glob(f"{stem}.*"):
        # the sound images of the other formats would only take time
        if file.name != name and (stem != "a" or file.suffix in (".wld", ".prj")):
            shutil.copyfile(file, survey / file.name)
    (survey / name).write_bytes(data[1:])
    found = load_survey([survey], Config())
    assert len(found.images) + len(found.rejected) == 1, (found.images, found.rejected)
    for rejected in found.rejected:
        assert rejected.reason != "internal-error", rejected.message
        assert rejected.message, rejected.reason
        assert rejected.remedy, rejected.reason
    for image in found.images:
        try:
            with ImageReader(image) as reader:
                reader.read(Window(-32, -32, 448, 448).clipped(image.height_px, image.width_px))
        except ImageRejectedError:
            continue


def main() -> None:
    sound_files()
    for argument in sys.argv[1:]:
        if not argument.startswith("-"):
            seeds(Path(argument))
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
