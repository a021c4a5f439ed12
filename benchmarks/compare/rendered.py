"""Does `crackpipe compare` find what grew, and nothing else? A rendered road through the whole product.

    python benchmarks/compare/rendered.py WORK [--metres 40] [--across 1.6] [--seed 1]

Draws a road (pair.py) and maps it with `crackpipe run` in three states: older; newer and grown; newer and the
same, with other noise and light. Compares the older with both and prints what the truth says of the verdicts.
The newer year is moved by 0.5 m and turned by 0.2 degrees. What is there already is not done again.

Each stretch of `changes.parquet` is laid on what was drawn, every 20 mm, by the true place of its year. A
point within 8 mm of a drawn crack belongs to it; others are false alarms of the network.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import geopandas as gpd
import numpy as np
import pair
from affine import Affine
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from crackpipe.model.render.cracks import Crack
from crackpipe.pipeline.geometry.ground import world_of_pixel

Floats = NDArray[np.float64]

NEAR_M = 0.008
STEP_M = 0.02
MOVED_M = (0.36, -0.345)
TURNED_DEG = 0.2
JITTER_MM = 4.0
THERE = ("unchanged", "wider", "narrower")


def command(*arguments: str) -> None:
    """One command of the product."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "crackpipe", *arguments], check=True, env=environment)


def drawn(
    cracks: list[tuple[str, Crack, int]], to_ground: Affine
) -> tuple[Floats, NDArray[np.object_], Floats]:
    """Points (P, 2) each millimetre or two along cracks, their fates (P,), and their cracks' number (P,)."""
    points = [world_of_pixel(to_ground, crack.centreline) for _, crack, _ in cracks]
    fates = np.repeat([fate for fate, _, _ in cracks], [len(each) for each in points]).astype(object)
    number = np.repeat([number for _, _, number in cracks], [len(each) for each in points])
    return np.concatenate(points), fates, number


def truth(road: list[pair.Family], place: pair.Place) -> tuple[Floats, NDArray[np.object_], Floats]:
    """What was drawn, in the world of the older place, with fates; a longer crack's grown part is `grown`."""
    listed: list[tuple[str, Crack, int]] = []
    for number, family in enumerate(road):
        listed += [(family.fate, crack, number) for crack in (family.older or family.newer)]
        if family.fate == "longer":
            whole, kept = family.newer[0], len(family.older[0].centreline)
            rest = Crack(whole.centreline[kept:], whole.width_px[kept:], whole.contrast_grey)
            listed.append(("grown", rest, number))
    return drawn(listed, place.true)


def laid(
    changes: gpd.GeoDataFrame, places: tuple[pair.Place, pair.Place]
) -> tuple[Floats, NDArray[np.int64]]:
    """Points every 20 mm of all rows in the true world, and the row of each."""
    back = places[1].true @ ~places[1].stated
    length = changes.length.to_numpy()
    count = np.maximum(np.ceil(length / STEP_M), 1).astype(int)
    row = np.repeat(np.arange(len(changes)), count)
    rank = np.arange(len(row)) - (np.cumsum(count) - count)[row]
    at = changes.geometry.to_numpy()[row]
    points = gpd.GeoSeries(at).interpolate((rank + 0.5) * (length / count)[row])
    x, y = back @ (points.x.to_numpy(), points.y.to_numpy())
    return np.column_stack([x, y]), row


def score(changes: gpd.GeoDataFrame, road: list[pair.Family], places: tuple[pair.Place, pair.Place]) -> None:
    """Print the figures of one comparison."""
    points, fates, families = truth(road, places[0])
    where, row = laid(changes, places)
    distance, nearest = cKDTree(points).query(where, distance_upper_bound=NEAR_M)
    fate = np.where(np.isfinite(distance), np.append(fates, "nothing")[nearest], "nothing")
    weight = (changes.length_m.to_numpy() / np.bincount(row))[row]
    verdict = changes.verdict.to_numpy()[row]
    newer = changes.crack_id.notna().to_numpy()[row]
    table = {
        name: {said: float(weight[(fate == name) & (verdict == said)].sum()) for said in np.unique(verdict)}
        for name in np.unique(fate)
    }
    print(gpd.pd.DataFrame(table).T.round(2).to_string())
    same = np.isin(fate, ["unchanged", "wider", "longer"])
    total = weight[newer].sum()
    print(f"matched length      {share(weight, same, np.isin(verdict, THERE)):8.2%}")
    grown = np.isin(verdict, ["new", "longer"])
    print(f"false growth        {weight[newer & grown & same].sum() / total:8.2%} of the newer length")
    print(f"  and false alarms  {weight[newer & grown & (fate == 'nothing')].sum() / total:8.2%}")
    # ground that the older year did not show is rightly `first seen`
    fresh = (fate == "new") & newer & (verdict != "first seen")
    family = np.append(families, -1)[nearest]
    found = np.bincount(family[fresh], weight[fresh])
    right = np.bincount(family[fresh], (weight * grown)[fresh]) / np.where(found > 0, found, 1)
    print(f"new cracks found    {np.mean(right[found > 0] >= 0.5):8.2%} of {np.sum(found > 0)} families")
    print(f"  new or longer     {share(weight, fresh, grown):8.2%} of the length found")
    print(f"  new               {share(weight, fresh, verdict == 'new'):8.2%}")
    print(f"grown found         {share(weight, (fate == 'grown') & newer, grown):8.2%}")
    print(f"gone as repaired    {share(weight, (fate == 'gone') & ~newer, verdict == 'repaired'):8.2%}")
    widths(changes, fate, row)


def widths(changes: gpd.GeoDataFrame, fate: NDArray[np.object_], row: NDArray[np.int64]) -> None:
    """What the comparison says of widths, stretch by stretch."""
    compared = changes.width_change_sure.notna().to_numpy()
    for name in ("unchanged", "wider"):
        part = np.bincount(row, np.isin(fate, [name, "longer"] if name == "unchanged" else [name]))
        some = compared & (part / np.bincount(row) >= 0.8)
        said = changes.verdict.to_numpy()[some]
        length = changes.length_m.to_numpy()[some]
        sure = changes.width_change_sure.to_numpy()[some]
        ratio = (changes.width_mm / changes.width_before_mm).to_numpy()[some]
        if some.any():
            print(
                f"widths, truly {name:9} {some.sum():5} stretches: wider {np.mean(said == 'wider'):.2%} "
                f"({np.sum(length[said == 'wider']) / length.sum():.2%} of length), "
                f"narrower {np.mean(said == 'narrower'):.2%}, median ratio {np.median(ratio):.3f}, "
                f"spread of sure {1.4826 * np.median(np.abs(sure - np.median(sure))):.2f}"
            )


def share(weight: Floats, of: NDArray[np.bool_], which: NDArray[np.bool_]) -> float:
    """Part of the weight of `of` that is also `which`."""
    return float(weight[of & which].sum() / weight[of].sum()) if of.any() else float("nan")


@click.command()
@click.argument("work", type=click.Path(path_type=Path))
@click.option("--metres", default=40.0, help="Length of the road.")
@click.option("--across", default=1.6, help="Its width, m.")
@click.option("--seed", default=1)
@click.option("--weights", default="lite")
def main(work: Path, metres: float, across: float, seed: int, weights: str) -> None:
    """Draw, map, compare, score."""
    size = round(metres * 1000 / pair.GSD_MM), round(across * 1000 / pair.GSD_MM)
    places = pair.places(*size, MOVED_M, TURNED_DEG)
    states = {}
    for name, grown in (("grown", True), ("same", False)):
        older, newer, road = pair.scenes(seed, *size, grown=grown)
        states |= {
            "older": (older, places[0], "2024:05:20 10:00:00"),
            name: (newer, places[1], "2025:06:03 15:00:00"),
        }
        if grown:
            roads = {"grown": road}
        roads[name] = road
    for number, (name, (scene, place, acquired)) in enumerate(states.items()):
        survey = work / name
        if not survey.exists():
            pair.write(scene, place, survey, acquired=acquired, jitter_mm=JITTER_MM, seed=seed + number)
        command(
            "run", str(survey), "--out", str(work / f"{name}-cracks"), "--workers", "1", "--weights", weights
        )
    for name in ("grown", "same"):
        command("compare", str(work / "older-cracks"), str(work / f"{name}-cracks"))
        print(
            f"\n{name}: {json.loads((work / f'{name}-cracks' / 'changes.json').read_text())['registration']}"
        )
        changes = gpd.read_parquet(work / f"{name}-cracks" / "changes.parquet")
        score(changes, roads[name], places)


if __name__ == "__main__":
    main()
