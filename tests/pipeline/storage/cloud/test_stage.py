"""Images are whole before they are worked on, and never take more disk than they may."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import rasterio
from cloud.memory_store import MemoryStore
from disks import mounted
from rasterio.transform import from_origin

from crackpipe.pipeline.config import Config
from crackpipe.pipeline.errors import ImageRejectedError, StorageError, UsageError
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster.unchanged import check_unchanged
from crackpipe.pipeline.storage import reading
from crackpipe.pipeline.storage.cloud import stage as staging
from crackpipe.pipeline.storage.cloud.mirror import is_whole, mirror
from crackpipe.pipeline.storage.cloud.stage import Stage
from crackpipe.pipeline.survey.load import Survey, load_survey

SIDE_PX = 512


def geotiff(folder: Path, seed: int) -> bytes:
    """An image of noise, 262 kB."""
    path = folder / f"{seed}.tif"
    noise = np.random.default_rng(seed).integers(0, 255, (1, SIDE_PX, SIDE_PX), np.uint8)
    profile = {
        "driver": "GTiff",
        "height": SIDE_PX,
        "width": SIDE_PX,
        "count": 1,
        "dtype": "uint8",
        "tiled": True,
    }
    place = from_origin(500_000.0 + seed, 5_400_000.0, 0.001, 0.001)
    with rasterio.open(path, "w", **profile, crs="EPSG:25832", transform=place) as file:
        file.write(noise)
    return path.read_bytes()


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("images")
    return {f"lane{seed % 2}/{seed:02}.tif": geotiff(folder, seed) for seed in range(12)}


@contextmanager
def planned(store: MemoryStore, root: Path, room_bytes: int) -> Iterator[tuple[Stage, Survey]]:
    stage = Stage([(mirror(store.entries(), root), store)], room_bytes)
    with reading.through(stage):
        yield stage, load_survey([root], Config())


def disk_bytes(root: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in root.rglob("*") if path.is_file())


def test_planning_reads_heads_alone(objects: dict[str, bytes], tmp_path: Path) -> None:
    store = MemoryStore(objects)
    with planned(store, tmp_path / "survey", 10_000_000) as (_, found):
        assert [image.image_id for image in found.images] == sorted(objects)
        assert {(image.size_bytes, image.etag) for image in found.images} == {
            (entry.size_bytes, entry.etag) for entry in store.entries()
        }
    assert sum(end - start for _, start, end in store.asked) <= len(objects) * 131_072
    with pytest.raises(ImageRejectedError, match="changed after the run began"):
        check_unchanged(found.images[0].file)  # a task that met a hollow file would not take it for the image


def test_the_disk_is_bounded_while_every_image_is_whole_when_it_is_its_turn(
    objects: dict[str, bytes], tmp_path: Path
) -> None:
    store, room_bytes, root = MemoryStore(objects), 1_000_000, tmp_path / "survey"
    most: list[int] = []

    def measured(content: bytes) -> bytes:
        most.append(disk_bytes(root))
        return content

    store.answer = measured
    seen = []
    with planned(store, root, room_bytes) as (stage, found):
        for wave in stage.waves(found.images):
            for image in wave.images:
                check_unchanged(image.file)
                assert image.path.read_bytes() == objects[image.image_id]
                most.append(disk_bytes(root))
                stage.done(image)
                seen.append(image.image_id)
            assert not wave.failed
    assert seen == sorted(objects)
    largest = max(map(len, objects.values()))
    assert largest <= max(most) <= room_bytes + 4096 * len(objects)  # a file ends within a block of the disk
    assert disk_bytes(root) == 0
    # heads that had to make room came twice; nothing else did
    assert sum(end - start for _, start, end in store.asked) < 1.6 * sum(map(len, objects.values()))


def test_an_image_larger_than_the_room_is_refused_before_anything_comes(
    objects: dict[str, bytes], tmp_path: Path
) -> None:
    with (
        planned(MemoryStore(objects), tmp_path / "survey", 200_000) as (stage, found),
        pytest.raises(
            UsageError, match=r"lane0/00.tif has 0.00026\d GB, but at most 0.0002 GB .*--staging-gb"
        ),
    ):
        stage.check_sizes(found.images)


def test_what_an_earlier_run_brought_is_first_and_does_not_come_again(
    objects: dict[str, bytes], tmp_path: Path
) -> None:
    store, root = MemoryStore(objects), tmp_path / "survey"
    with planned(store, root, 2_000_000) as (stage, found):
        last = found.images[-1]
        next(stage.waves([last]))
    again = MemoryStore(objects)
    with planned(again, root, 2_000_000) as (stage, found):
        order = [image.image_id for wave in stage.waves(found.images) for image in free(stage, wave.images)]
    assert order == [last.image_id, *(name for name in sorted(objects) if name != last.image_id)]
    assert last.image_id not in {name for name, _, _ in again.asked}


def free(stage: Stage, images: list[SurveyImage]) -> list[SurveyImage]:
    for image in images:
        stage.done(image)
    return images


def test_an_image_that_cannot_come_stops_no_other(objects: dict[str, bytes], tmp_path: Path) -> None:
    store, gone = MemoryStore(objects), "lane0/04.tif"
    with planned(store, tmp_path / "survey", 10_000_000) as (stage, found):

        def answer(content: bytes) -> bytes:
            if store.asked[-1][0] == gone:
                raise ImageRejectedError("file-missing", "it is gone", "Copy it.")
            return content

        store.answer = answer
        waves = list(stage.waves(found.images))
    assert [image.image_id for wave in waves for image, _ in wave.failed] == [gone]
    assert len([image for wave in waves for image in wave.images]) == len(objects) - 1


def test_a_head_that_cannot_come_has_the_true_reason_and_not_that_of_gdal(
    objects: dict[str, bytes], tmp_path: Path
) -> None:
    store, gone = MemoryStore(objects), "lane0/04.tif"

    def answer(content: bytes) -> bytes:
        if store.asked[-1][0] == gone:
            raise ImageRejectedError("file-missing", "it is gone", "Copy it.")
        return content

    store.answer = answer
    with planned(store, tmp_path / "survey", 10_000_000) as (stage, found):
        images, rejected = stage.corrected(found.images, found.rejected)
    assert [(each.image_id, each.reason) for each in rejected] == [(gone, "file-missing")]
    assert len(images) == len(objects) - 1


def test_a_disk_that_is_full_while_heads_come_ends_the_run_and_sets_no_image_aside(
    objects: dict[str, bytes], tmp_path: Path
) -> None:
    with (
        mounted(tmp_path / "disk", "200k") as disk,
        pytest.raises(StorageError, match=r"No space left on device.*free some space"),
        planned(MemoryStore(objects), disk / "survey", 10_000_000) as (stage, found),
    ):
        stage.corrected(found.images, found.rejected)


def test_the_first_wave_is_small_and_none_takes_more_than_half_the_room(
    objects: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "_FIRST_SHARE", 8)
    with planned(MemoryStore(objects), tmp_path / "survey", 2_400_000) as (stage, found):
        waves = [len(free(stage, wave.images)) for wave in stage.waves(found.images)]
    assert waves == [1, 2, 4, 4, 1]


def test_files_outside_the_stage_are_opened_as_always(objects: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    with (
        planned(MemoryStore(objects), tmp_path / "survey", 10_000_000),
        reading.opened(tmp_path / "a") as file,
    ):
        assert file.read() == b"abc"
    assert not is_whole(tmp_path / "a", 3)
