"""How well lane lines tell where a camera stands.

    python benchmarks/frames/lane_edges.py WORK [DNIT]

First a rendered drive of a camera that looks ahead and down (`crackpipe sample --kind drive --oblique`):
scale along and across the road by its lane edges against the truth. Then, for each road section of DNIT's
frames with 40 frames or more (DNIT/images; MIT), how far scales from the first and the last half of them
are apart, and those from every second one. A lane of 3.6 m and a focal length of 700 px are assumed.
"""

import sys
from collections import defaultdict
from pathlib import Path

from PIL import Image

from crackpipe.pipeline.frames.files.oblique import Oblique
from crackpipe.pipeline.frames.lanes.edges import edges_of
from crackpipe.pipeline.frames.lanes.marks import lines_of
from crackpipe.pipeline.frames.lanes.stand import posed, scales
from crackpipe.pipeline.geometry.arrays import Floats
from crackpipe.pipeline.sample.drive import oblique_drive, write_drive

DNIT = Oblique(gsd_mm=4.0, focal_px=700.0, lane_edges_m=3.6, axis_px=(511.5, 0.0))


def rendered(work: Path) -> None:
    ahead = oblique_drive().ahead
    assert ahead is not None
    folder = work / "oblique"
    frames = folder / "frames" if (folder / "truth").exists() else write_drive(folder, 7, oblique_drive())
    lines = [lines_of(path) for path in sorted(frames.iterdir())]
    edges = edges_of(lines, ahead.size_px)
    asked = Oblique(gsd_mm=4.0, focal_px=ahead.focal_px, lane_edges_m=ahead.lane_m)
    found = posed(asked, edges, ahead.size_px)
    axis = (ahead.size_px[1] - 1) / 2, (ahead.size_px[0] - 1) / 2
    true = Oblique(
        gsd_mm=4.0,
        focal_px=ahead.focal_px,
        height_m=ahead.height_m,
        pitch_deg=ahead.pitch_deg,
        yaw_deg=ahead.yaw_deg,
        axis_px=axis,
    )
    ours, truth = (scales(each, ahead.size_px, edges.meet[1]) for each in (found, true))
    print(
        f"rendered: {found.height_m:.3f} m high ({ahead.height_m} is true), pitch {found.pitch_deg:.2f} "
        f"({ahead.pitch_deg:g}), yaw {found.yaw_deg:.2f} ({ahead.yaw_deg:g}); scale along "
        f"{ours[0] / truth[0] - 1:+.2%}, "
        f"across {ours[1] / truth[1] - 1:+.2%}; {len(edges.slopes)} of {len(lines)} frames show both edges"
    )


def compared(name: str, lines: list[Floats], size_px: tuple[int, int]) -> None:
    half = len(lines) // 2
    said = []
    for what, parts in (
        ("halves", (lines[:half], lines[half:])),
        ("every second", (lines[::2], lines[1::2])),
    ):
        try:
            edges = [edges_of(part, size_px) for part in parts]
        except ValueError as error:
            said.append(f"{what}: {error}")
            continue
        one, other = (scales(posed(DNIT, each, size_px), size_px, edges[0].meet[1]) for each in edges)
        said.append(f"{what}: along {one[0] / other[0] - 1:+.1%}, across {one[1] / other[1] - 1:+.1%}")
    stands = posed(DNIT, edges_of(lines, size_px), size_px)
    print(f"{name:<26} {len(lines):3} frames, {stands.height_m:.2f} m high; {'; '.join(said)}", flush=True)


def main() -> None:
    work = Path(sys.argv[1])
    rendered(work)
    if len(sys.argv) < 3:
        return
    sections = defaultdict(list)
    for path in sorted((Path(sys.argv[2]) / "images").iterdir()):
        sections[path.stem.rpartition("_")[0]].append(path)
    for name, paths in sorted(sections.items(), key=lambda item: -len(item[1])):
        if len(paths) >= 40:
            with Image.open(paths[0]) as image:
                size_px = image.height, image.width
            compared(name, [lines_of(path) for path in paths], size_px)


if __name__ == "__main__":
    main()
