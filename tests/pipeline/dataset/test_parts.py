"""Parts of images: what their masks say, what was edited, which are taken, and their names."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from analyst import UTM
from frames import UTM32, survey_image, transform_at
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from crackpipe.pipeline.dataset import reviewed
from crackpipe.pipeline.dataset.parts import FoundLines, Maps, Part, cut, differ, grid_of_parts, mask_of
from crackpipe.pipeline.dataset.write import DatasetRequest, choose, stems_of
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.image import SurveyImage


def image_of(image_id: str) -> SurveyImage:
    """100 px square, 1 mm/px, its north-west corner at (500,000, 5,400,000)."""
    return survey_image(image_id, UTM32, transform_at(0, 0), (100, 100))


def maps_of(
    *drawn: tuple[shapely.LineString, float, str | None],
    crs: str = UTM,
    area: reviewed.ReviewedArea | None = None,
    images: tuple[str, ...] = (),
) -> Maps:
    """Of reviewed lines with width (mm) and the image that each was drawn on; the run found nothing."""
    lines, widths_mm, image_ids = zip(*drawn, strict=True) if drawn else ((), (), ())
    return Maps(
        lines=reviewed.ReviewedLines(
            crs=CRS(crs),
            lines=np.array(lines, object),
            width_mm=np.array(widths_mm, float),
            image_id=np.array(image_ids, object),
            without_width=0,
            other_classes={},
        ),
        found=FoundLines(None, np.zeros(0, object), np.zeros(0, object)),
        area=area,
        seam_mm=20.0,
        image_ids=frozenset(images),
    )


def mask_on(image: SurveyImage, maps: Maps) -> NDArray[np.uint8]:
    """Of its one part."""
    (part,) = cut(maps.on(image), 448)
    return mask_of(part, maps.on(image), np.ones((part.window.height, part.window.width), bool))


ACROSS = shapely.LineString([(500_000.02, 5_399_999.95), (500_000.08, 5_399_999.95)])


def test_a_crack_drawn_on_one_image_is_doubtful_on_the_next() -> None:
    """Two images see one spot; the line was drawn on the first. Where it lies on the second is known only
    as well as the images are placed: nobody judges the pixels around it there.
    """
    maps = maps_of((ACROSS, 4.0, "1.tif"), images=("1.tif", "2.tif"))
    first, second = (mask_on(image_of(name), maps) for name in ("1.tif", "2.tif"))
    assert set(np.unique(first)) == {0, 255}
    assert (first[:, 50] == 255).sum() == 4  # 4 mm
    assert set(np.unique(second)) == {0, 127}
    assert (second[:, 50] == 127).sum() == 44  # and 20 mm on each side
    # the same line of last year's survey is on no image in particular: crack on both
    maps = maps_of((ACROSS, 4.0, "1.tif"), images=("2.tif",))
    assert (mask_on(image_of("2.tif"), maps) == first).all()


def test_what_the_run_left_out_is_not_judged() -> None:
    """A run over a region: columns 30 to 69 were inspected, rows 0 to 49 of them reviewed."""
    image = replace(image_of("1.tif"), region=shapely.to_wkb(shapely.box(30, 0, 70, 100)))
    half = shapely.box(500_000, 5_399_999.95, 500_000.1, 5_400_000)
    for area, rows in ((None, 100), (reviewed.ReviewedArea(CRS(UTM), np.array([half], object)), 50)):
        inside = np.full((100, 100), 127)
        inside[:rows, 30:70] = 0
        assert (mask_on(image, maps_of(area=area)) == inside).all()


def test_hair_cracks_are_one_line_of_pixels() -> None:
    line = shapely.LineString([(500_000.01, 5_399_999.985), (500_000.09, 5_399_999.92)])
    mask = mask_on(image_of("1.tif"), maps_of((line, 0.2, None))) == 255
    assert mask[:, 12:88].any(axis=0).all()
    assert mask.sum(axis=0).max() <= 2


def test_a_line_beyond_the_domain_of_the_images_crs_is_not_on_them() -> None:
    to_degrees = Transformer.from_crs(UTM, 4326, always_xy=True)
    here = shapely.transform(ACROSS, lambda xy: np.column_stack(to_degrees.transform(xy[:, 0], xy[:, 1])))
    away = shapely.LineString([(-170, -90), (99, 91)])
    maps = maps_of((away, 4.0, None), (here, 4.0, None), crs="EPSG:4326")
    assert len(maps.on(image_of("1.tif")).lines) == 1


@pytest.mark.parametrize("size_px", [1, 300, 1024, 1500, 1600, 5000])
def test_parts_partition_an_image(size_px: int) -> None:
    parts = grid_of_parts(size_px, 700, 1024)
    seen = np.zeros((size_px, 700), int)
    for part in parts:
        seen[part.row : part.row_stop, part.col : part.col_stop] += 1
    assert (seen == 1).all()
    assert max(part.height for part in parts) <= 1536
    assert max(part.height for part in parts) - min(part.height for part in parts) <= 1


def test_moved_lines_are_edits_and_small_differences_are_not() -> None:
    def lines(*coordinates: list[tuple[float, float]]) -> NDArray[np.object_]:
        return np.array([shapely.LineString(each) for each in coordinates], object)

    seen = shapely.box(0, 0, 100, 100)
    one = lines([(0, 50), (90, 50)])
    assert not differ(one, lines([(0, 52), (40, 52)], [(40, 52), (95, 52)]), seen)
    assert differ(one, lines([(0, 60), (90, 60)]), seen)
    assert differ(one, one[:0], seen)
    assert differ(one[:0], one, seen)
    assert not differ(one, one[:0], shapely.box(0, 60, 100, 100))


def test_negatives_are_a_share_of_the_cracked() -> None:
    image = image_of("1.tif")
    window = Window(0, 0, 1, 1)
    parts = [Part(image, number, window, number < 4, number == 4) for number in range(30)]

    def numbers(negatives: float, some: list[Part] = parts) -> set[int]:
        request = DatasetRequest(out=Path("p"), run=Path("r"), reviewed=Path("c"), negatives=negatives)
        return {part.number for part in choose(some, request)}

    assert numbers(0) == {0, 1, 2, 3, 4}
    assert len(numbers(0.5)) == 5 + 2
    assert numbers(0.5) < numbers(2) < numbers(100) == set(range(30))
    assert numbers(0.5, parts[::-1]) == numbers(0.5)
    assert numbers(0.5, parts[5:]) == set(range(5, 30))  # a road without cracks is all negatives


def test_images_of_one_name_have_stems_of_their_own() -> None:
    images = [image_of(name) for name in ("a/1.tif", "a_1.tif", "b/2-3.jpg")]
    stems = stems_of(images)
    assert stems["b/2-3.jpg"] == "b_2_3"
    assert len(set(stems.values())) == 3
    assert not any("-" in stem for stem in stems.values())
