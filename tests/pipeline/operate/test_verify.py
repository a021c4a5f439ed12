"""What was damaged is found, named and done again; what is merely unfinished is not complained of."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import bitflips
import numpy as np
import pytest
from affine import Affine
from first_outputs import unpack
from helpers import tree_hash
from pyproj import CRS

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import OutputDamagedError, UsageError
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.masks import group
from crackpipe.pipeline.operate import upkeep
from crackpipe.pipeline.operate.findings import Verification
from crackpipe.pipeline.operate.verify import verify
from crackpipe.pipeline.request import Request
from crackpipe.pipeline.run import run
from crackpipe.pipeline.state import markers, publishing, staging
from crackpipe.pipeline.state.output import Output


@pytest.fixture(scope="module")
def finished(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("verified") / "out"
    run(Request((survey,), out, Config(block_cores=1), serial=True))
    return out


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "out")
    return tmp_path / "out"


def flip(path: Path, *, byte: int | None = None) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if byte is None else byte] ^= 0x10
    path.write_bytes(content)


def found_paths(found: Verification) -> list[str]:
    return [finding.path for finding in found.findings]


def test_a_finished_output_is_sound(out: Path) -> None:
    found = verify(out)
    assert (found.findings, found.notes) == ([], [])
    assert found.images == 3
    assert found.chunks == 2 * (4 + 2 + 4)
    found.raise_if_damaged()


def test_an_output_of_commit_5f0e436_is_understood(tmp_path: Path) -> None:
    unpack(tmp_path)
    found = verify(tmp_path / "default")
    assert (found.findings, found.notes) == ([], [])
    assert (found.images, found.chunks) == (2, 2 * 2)
    flip(tmp_path / "default" / "run.json")
    assert found_paths(verify(tmp_path / "default")) == ["run.json"]


CHUNK = "masks.zarr/lane1/a.tif/mask/c/0/1"


@pytest.mark.parametrize(
    ("path", "harm", "what"),
    [
        (CHUNK, flip, "damaged"),
        (CHUNK, Path.unlink, "missing"),
        ("masks.zarr/lane1/a.tif/probability/zarr.json", flip, "damaged"),
        ("masks.zarr/lane1/a.tif/zarr.json", Path.unlink, "missing"),
        ("masks.zarr/lane1/zarr.json", flip, "damaged"),
        ("masks.zarr/zarr.json", Path.unlink, "missing"),
        ("masks.zarr/lane1/a.tif/mask/c/0/7", Path.touch, "unexpected"),
        ("cracks.parquet", flip, "damaged"),
        ("images.parquet", Path.unlink, "missing"),
        ("run.json", flip, "damaged"),
        (".crackpipe/tables.json", flip, "missing or damaged"),
        (".crackpipe/version.json", flip, "damaged"),
    ],
)
def test_harm_is_found_and_named(out: Path, path: str, harm: Callable[[Path], None], what: str) -> None:
    harm(out / path)
    found = verify(out)
    assert [(finding.path, finding.what) for finding in found.findings] == [(path, what)]
    with pytest.raises(OutputDamagedError, match="--repair"):
        found.raise_if_damaged()


def test_random_damage_is_found(out: Path) -> None:
    """A short version of `benchmarks/faults/bitflips.py`."""
    draw = random.Random(5)
    covered = [path for path in bitflips.covered_files(out) if path.name != "run.json"]
    for _ in range(60):
        path = draw.choice(covered)
        content = path.read_bytes()
        how = bitflips.damage(path, draw)
        assert verify(out).findings, (path, how)
        path.write_bytes(content)
    assert not verify(out).findings


def test_markers_and_rows_of_a_finished_image_are_looked_at(out: Path) -> None:
    output = Output(out)
    flip(output.rows("lane1/a.tif"))
    output.marker("lane1/b.tif").unlink()
    flip(output.marker("lane2/strip.tif"))
    assert {Path(path).name for path in found_paths(verify(out))} == {
        output.rows("lane1/a.tif").name,
        output.marker("lane1/b.tif").name,
        output.marker("lane2/strip.tif").name,
    }


def test_repair_and_one_run_give_the_same_bytes_again(survey: Path, finished: Path, out: Path) -> None:
    output = Output(out)
    flip(out / CHUNK)
    flip(output.marker("lane1/b.tif"))
    flip(out / "cracks.parquet")
    (out / "masks.zarr" / "lane1" / "foreign").write_text("x")
    with pytest.raises(OutputDamagedError, match=f"`crackpipe run SURVEY --out {out}` does"):
        verify(out, repair=True).raise_if_damaged()
    summary = run(Request((survey,), out, Config(block_cores=1), serial=True))
    assert summary.images_run == 2
    assert tree_hash(out) == tree_hash(finished)
    assert verify(out).findings == []


def test_a_chunk_that_was_never_right_is_found_by_its_own_checksum(tmp_path: Path) -> None:
    """Its hash fits, for it was taken from the wrong bytes."""
    output = Output(tmp_path / "out")
    output.create()
    folder = staging.open_staging(output, "a.tif", {})
    group.create_masks(
        folder / "masks", height_px=8, width_px=8, transform=Affine(0.001, 0, 0, 0, -0.001, 0),
        crs_wkt=CRS("EPSG:25832").to_wkt(), chunk_shape=(8, 8), classes=("crack",),
    )  # fmt: skip
    values = np.random.default_rng(1).integers(0, 2, (8, 8)).astype(np.uint8)
    group.write_block(folder / "masks", Window(0, 0, 8, 8), values, values)
    chunk = folder / "masks" / "mask" / "c" / "0" / "0"
    flip(chunk, byte=-2)
    (folder / "rows.parquet").touch()
    group.ensure_root(output.masks, ["a.tif"], output.hidden / "group.partial")
    publishing.publish_image(output, "a.tif", {"image_id": "a.tif", "status": "done", "fingerprint": {}})
    [finding] = verify(output.root).findings
    assert finding.path == "masks.zarr/a.tif/mask/c/0/0"
    assert "cannot be decoded" in finding.what


def test_a_group_whose_writing_failed_is_no_damage_and_the_next_run_clears_it(
    out: Path, survey: Path
) -> None:
    """As a disk that was full at that moment leaves it: an empty folder, and a part of the file elsewhere."""
    (out / "masks.zarr" / "lane9").mkdir()
    partial = out / ".crackpipe" / "group.partial"
    partial.write_bytes(group.PLAIN_GROUP[:9])
    assert verify(out).findings == []
    run(Request((survey,), out, Config(block_cores=1), serial=True))
    assert not partial.exists()


def test_unfinished_work_is_a_note_not_damage(out: Path) -> None:
    output = Output(out)
    staging.open_staging(output, "lane1/a.tif", {"weights": "other"})
    markers.unmark(output, "lane1/a.tif")
    found = verify(out)
    assert found.findings == []
    assert any("being done again" in note for note in found.notes)


def test_tables_caught_between_old_and_new_are_a_note_not_damage(survey: Path, out: Path) -> None:
    """As a kill between the two renames leaves them; the next run makes both again."""
    output = Output(out)
    before = tree_hash(out)
    staged = [output.hidden / "staging" / name for name in ("cracks.parquet", "nowhere.parquet")]
    shutil.copy(out / "cracks.parquet", staged[0])
    staged[0].write_bytes(staged[0].read_bytes() + b"newer")
    shutil.copy(out / "images.parquet", staged[1])
    facts = {"made_from": "newer", "cracks": 1, "length_m": 1.0}
    (output.root / "nowhere.parquet").mkdir()  # the second rename fails
    with pytest.raises(OSError, match="nowhere"):
        publishing.publish_tables(output, facts, staged)
    (output.root / "nowhere.parquet").rmdir()
    found = verify(out)
    assert found.findings == []
    assert any("being replaced" in note for note in found.notes)
    run(Request((survey,), out, Config(block_cores=1), serial=True))
    assert tree_hash(out) == before
    assert verify(out).notes == []


# ---- upkeep


def test_clean_removes_unfinished_work_and_on_demand_removed_images(
    survey: Path, out: Path, tmp_path: Path
) -> None:
    output = Output(out)
    staging.open_staging(output, "lane1/a.tif", {"weights": "other"})
    (output.hidden / "markers" / "0.json.staged").touch()
    assert upkeep.clean(out) == ["1 unfinished images and 0 partial files removed"]
    assert not list((output.hidden / "staging").iterdir())
    assert not list((output.hidden / "markers").glob("*.staged"))
    smaller = tmp_path / "survey"
    shutil.copytree(survey, smaller)
    (smaller / "lane2" / "strip.tif").unlink()
    run(Request((smaller,), out, Config(block_cores=1), serial=True, accept_removed=True))
    assert output.masks_of("lane2/strip.tif").exists()  # without being told, nothing published is removed
    assert "lane2/strip.tif" in upkeep.clean(out, removed_images=True)
    assert not (output.masks / "lane2").exists()
    assert not output.rows("lane2/strip.tif").exists()
    assert verify(out).findings == []


def test_retry_forgets_only_the_quarantine_asked_for(out: Path) -> None:
    output = Output(out)
    for image_id, reason in (("x.tif", "worker-died"), ("y.tif", "read-failed")):
        publishing.publish_quarantine(
            output, image_id, {"image_id": image_id, "status": "quarantined", "reason": reason}
        )
    assert upkeep.retry_quarantined(out, "worker-died")[0] == "x.tif: worker-died"
    assert markers.read_marker(output, "x.tif") is None
    assert markers.read_marker(output, "y.tif") is not None
    assert markers.read_marker(output, "lane1/a.tif") is not None


def test_upkeep_wants_an_output(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.crackpipe"):
        upkeep.clean(tmp_path)
