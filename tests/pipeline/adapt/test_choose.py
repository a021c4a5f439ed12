"""Which tiles are worth labelling: by turns unsure, strange, and by lot, spread over the road."""

import shapely
from affine import Affine
from frames import UTM32, survey_image

from crackpipe.pipeline.adapt.candidates import Candidate, Tile
from crackpipe.pipeline.adapt.choose import SPREAD, STRANGE, UNSURE, choose
from crackpipe.pipeline.geometry.grid import Window

PLACE = Affine(0.001, 0, 500_000, 0, -0.001, 5_400_000)


def candidate(number: int, image: str, unsure: float, familiarity: float | None = None) -> Candidate:
    """A square of 1 m; squares stand side by side along x, a metre for each number."""
    tile = Tile(
        name=f"{image}-{number}",
        image=survey_image(image, UTM32, PLACE),
        window=Window(0, 0, 1000, 1000),
        outline=shapely.box(number, 0, number + 1, 1),
    )
    return Candidate(tile=tile, unsure=unsure, familiarity=familiarity)


def names(chosen: list[Candidate]) -> list[str]:
    return [each.tile.name for each in chosen]


def test_each_stretch_of_the_road_gives_one() -> None:
    road = [candidate(k, f"{k // 4}.tif", unsure=(7 * k % 30) / 100) for k in range(30)]
    chosen = choose(road, 6)
    places = [int(each.candidate.tile.outline.bounds[0]) for each in chosen]
    assert [place // 5 for place in places] == [0, 1, 2, 3, 4, 5]
    assert [each.why for each in chosen] == [UNSURE, UNSURE, SPREAD] * 2
    for each, place in zip(chosen, places, strict=True):
        if each.why == UNSURE:
            stretch = road[place - place % 5 : place - place % 5 + 5]
            used = {one.candidate.tile.image.image_id for one in chosen[: chosen.index(each)]}
            free = [one for one in stretch if one.tile.image.image_id not in used]
            assert each.candidate.unsure == max(one.unsure for one in free)


def test_the_same_candidates_give_the_same_choice() -> None:
    road = [candidate(k, f"{k}.tif", unsure=0.5) for k in range(20)]
    assert choose(road, 7) == choose(list(road), 7)
    assert len({each.candidate.tile.name for each in choose(road, 7)}) == 7


def test_the_least_familiar_image_has_its_turn() -> None:
    familiar = {0: 0.9, 1: 0.9, 2: 0.9, 3: 0.2, 4: None, 5: 0.9, 6: 0.9, 7: 0.9}
    road = [candidate(k, f"{k}.tif", 0.1, familiarity) for k, familiarity in familiar.items()]
    chosen = choose(road, 4)
    assert [each.why for each in chosen] == [UNSURE, STRANGE, UNSURE, SPREAD]
    assert chosen[1].candidate.tile.name == "3.tif-3"
    alike = [candidate(k, f"{k}.tif", 0.1, 0.5) for k in range(8)]
    assert STRANGE not in {each.why for each in choose(alike, 8)}


def test_a_run_with_few_tiles_gives_all_of_them() -> None:
    road = [candidate(k, "one.tif", unsure=0.1) for k in range(3)]
    assert names([each.candidate for each in choose(road, 20)]) == ["one.tif-0", "one.tif-1", "one.tif-2"]


def test_tiles_that_share_ground_are_taken_once() -> None:
    """Two images of one place, each with the most unsure tile of its stretch."""
    first, again = candidate(1, "a.tif", unsure=0.9), candidate(1, "b.tif", unsure=0.9)
    road = [candidate(0, "a.tif", 0.1), first, again, candidate(2, "c.tif", 0.2)]
    assert names([each.candidate for each in choose(road, 2)]) == ["a.tif-1", "c.tif-2"]
