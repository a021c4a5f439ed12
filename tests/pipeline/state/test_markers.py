"""What survives: markers, staging, the lock."""

from pathlib import Path

import pytest

from crackpipe.pipeline.errors import OutputNotWritableError
from crackpipe.pipeline.state import markers, publishing, staging
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage import sealed

FINGERPRINT = {"file size": 10, "weights": "abc"}


@pytest.fixture
def output(tmp_path: Path) -> Output:
    made = Output(tmp_path / "out")
    made.create()
    return made


def stage(output: Output, image_id: str, content: str) -> None:
    folder = staging.open_staging(output, image_id, FINGERPRINT)
    (folder / "masks").mkdir()
    (folder / "masks" / "c0").write_text(content)
    (folder / "rows.parquet").write_text(content)


def test_published_image_is_in_its_place_and_staging_is_gone(output: Output) -> None:
    stage(output, "lane1/a.tif", "first")
    publishing.publish_image(output, "lane1/a.tif", {"image_id": "lane1/a.tif", "status": "done"})
    assert (output.masks / "lane1" / "a.tif" / "c0").read_text() == "first"
    assert output.rows("lane1/a.tif").read_text() == "first"
    assert not output.staging("lane1/a.tif").exists()
    marker = markers.read_marker(output, "lane1/a.tif")
    assert marker is not None and marker["status"] == "done"
    assert set(marker["files"]) == {"c0", "rows"}


def test_publishing_again_replaces(output: Output) -> None:
    for content in ("first", "second"):
        stage(output, "a.tif", content)
        publishing.publish_image(output, "a.tif", {"image_id": "a.tif", "status": "done"})
    assert (output.masks_of("a.tif") / "c0").read_text() == "second"


def test_a_marker_that_is_published_is_not_written_again(output: Output) -> None:
    """A kill left the staging folder alone: a night counts images by the times of their markers."""
    stage(output, "a.tif", "first")
    marker = publishing.publish_image(output, "a.tif", {"image_id": "a.tif", "status": "done"})
    left = staging.open_staging(output, "a.tif", FINGERPRINT)
    sealed.write_sealed(left / "marker.json", marker)
    written_ns = output.marker("a.tif").stat().st_mtime_ns
    publishing.finish_interrupted(output)
    assert output.marker("a.tif").stat().st_mtime_ns == written_ns
    assert (output.masks_of("a.tif") / "c0").read_text() == "first"
    assert not left.exists()


def test_quarantine_removes_what_an_earlier_run_made(output: Output) -> None:
    stage(output, "a.tif", "first")
    publishing.publish_image(output, "a.tif", {"image_id": "a.tif", "status": "done"})
    publishing.publish_quarantine(output, "a.tif", {"image_id": "a.tif", "status": "quarantined"})
    assert not output.masks_of("a.tif").exists()
    assert not output.rows("a.tif").exists()
    marker = sealed.read_json(output.marker("a.tif"))
    assert marker is not None and marker["status"] == "quarantined"


def test_staging_is_continued_only_for_the_same_fingerprint(output: Output) -> None:
    folder = staging.open_staging(output, "a.tif", FINGERPRINT)
    staging.mark_block(folder, 0, 3072, {"inspected_px": 5})
    assert staging.block_figures(staging.open_staging(output, "a.tif", FINGERPRINT), 0, 3072) == {
        "inspected_px": 5
    }
    changed = FINGERPRINT | {"weights": "def"}
    assert staging.block_figures(staging.open_staging(output, "a.tif", changed), 0, 3072) is None


def test_damaged_marker_means_not_done(output: Output) -> None:
    output.marker("a.tif").write_text('{"image_id": "a.')
    assert sealed.read_json(output.marker("a.tif")) is None


def test_output_below_a_file_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputNotWritableError, match="--out"):
        Output(tmp_path / "file" / "out").create()
