"""The story of a report: tables -> figures, map and pictures -> one HTML file.

read_tables, read_sections    what the run wrote                          tables.py, sections.py
worst_first, with_pictures    which cracks get a picture                  choose.py
images_on_disk, cut_out       those pictures                              images.py, cutouts.py
lengths, widths, ...          figures                                     figures.py, changes.py
page                          one file                                    page.py
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crackpipe.pipeline.errors import OutputDamagedError
from crackpipe.pipeline.frames.told import Told, told_by
from crackpipe.pipeline.geometry.arrays import Ints
from crackpipe.pipeline.geometry.crs import short_name
from crackpipe.pipeline.publish import PREVIOUS
from crackpipe.pipeline.report import changes, choose, figures
from crackpipe.pipeline.report.cutouts import CutOuts, cut_out
from crackpipe.pipeline.report.images import images_on_disk
from crackpipe.pipeline.report.map_data import map_data, rounded
from crackpipe.pipeline.report.page import page
from crackpipe.pipeline.report.provenance import provenance
from crackpipe.pipeline.report.sections import Sections, are_of_other_cracks, read_sections
from crackpipe.pipeline.report.tables import Tables, read_tables
from crackpipe.pipeline.state import lock, publishing
from crackpipe.pipeline.state.output import Output, output_at
from crackpipe.pipeline.storage import faults, sealed
from crackpipe.pipeline.storage.durable import replace_file
from crackpipe.pipeline.tables.geoparquet import utf8

MOST_CRACKS = 150_000
"""The map holds no more: of a larger survey the worst, and the page says so."""
NAME = "report.html"


@dataclass(frozen=True)
class Reported:
    """What was written."""

    path: Path
    bytes: int
    cracks: int
    """On the map."""
    all_cracks: int
    cut_outs: CutOuts
    wanted: int
    """Cracks that should have a picture."""
    stale_sections: bool
    """The sections are of other cracks, so they were left out."""


def report(out: Path, sources: Sequence[Path] = ()) -> Reported:
    """Write report.html of the finished run in `out`, whose images are in `sources` or else where they were.

    Raises UsageError, OutputLockedError, OutputDamagedError, OutputNotWritableError, StorageError.
    """
    output = output_at(out)
    with lock.reading(output), faults.guarding(output.root):
        record = sealed.read_json(output.root / "run.json") or {}
        kinds = record.get("classes")
        tables = read_tables(
            output.root, kinds and [name for name, each in kinds.items() if each["kind"] == "crack"]
        )
        stale = are_of_other_cracks(output.root)
        sections = read_sections(output.root, tables)
        order = choose.worst_first(tables.cracks)
        chosen = choose.with_pictures(order, sections.worst() if sections else [])
        cut_outs = _cut_outs(output, tables, chosen, record, sources)
        shown = (
            np.sort(order[:MOST_CRACKS])
            if len(order) > MOST_CRACKS
            else np.arange(len(tables.cracks.crack_id))
        )
        data = {
            **_story(output, tables, record, sections, cut_outs),
            "stale_sections": stale,
            **map_data(tables, sections, shown, _deliveries(record, sources)),
        }
        at = {int(row): place for place, row in enumerate(shown)}
        pictures = [{**each, "crack": at[each["crack"]]} for each in cut_outs.pictures if each["crack"] in at]
        content = page(data, pictures, f"Crack report: {data['title']}").encode()
        target = output.root / NAME
        _write(target, content)
    return Reported(
        target, len(content), len(shown), len(tables.cracks.crack_id), cut_outs, len(chosen), stale
    )


def summary_lines(reported: Reported) -> Iterator[str]:
    """What the command prints."""
    made = reported.cut_outs
    yield (
        f"{reported.cracks} cracks, {len(made.pictures)} pictures ({made.bytes / 1e6:.1f} MB), "
        f"{reported.bytes / 1e6:.1f} MB in all"
    )
    if reported.cracks < reported.all_cracks:
        yield (
            f"the map shows the worst {reported.cracks} of {reported.all_cracks} cracks; "
            "the figures count all"
        )
    if made.missing:
        image_id, why = min(made.missing.items())
        yield (
            f"{reported.wanted - len(made.pictures)} pictures are missing, of {len(made.missing)} images "
            f"such as {image_id}: {why}. Say with --survey where the images are now, or run the survey again."
        )
    if reported.stale_sections:
        yield (
            "sections.parquet is of other cracks than cracks.parquet, so the report has no sections: run "
            "`crackpipe sections` again, then this."
        )
    yield f"Report: {reported.path}"


def _cut_outs(
    output: Output, tables: Tables, chosen: Ints, record: Mapping[str, Any], sources: Sequence[Path]
) -> CutOuts:
    wanted = sorted({str(tables.images[index]["image_id"]) for index in tables.cracks.image[chosen]})
    if not wanted:
        return CutOuts()
    on_disk = images_on_disk(output, record, sources, wanted)
    values = _mask_values(output, min(on_disk.images)) if on_disk.images else {}
    return cut_out(output, tables, chosen.tolist(), on_disk, values)


def _mask_values(output: Output, image_id: str) -> dict[str, int]:
    """The value in masks of each class, by its name with `_` for spaces, as the mask of one image tells."""
    file = output.masks_of(image_id) / "mask" / "zarr.json"
    try:
        said = json.loads(file.read_bytes())["attributes"]
        return dict(zip(said["flag_meanings"].split(" "), said["flag_values"], strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise OutputDamagedError(
            f"{file} cannot be read: {error}. `crackpipe verify` tells what is damaged."
        ) from error


# ---- what the page tells


def _story(
    output: Output,
    tables: Tables,
    record: Mapping[str, Any],
    sections: Sections | None,
    cut_outs: CutOuts,
) -> dict[str, Any]:
    days = sorted({day for day in tables.cracks.acquired if day is not None})
    return {
        "title": utf8(", ".join(tables.surveys) or _name_of(record) or output.root.name),
        "days": [days[0], days[-1]] if days else None,
        "crs": None if tables.crs is None else short_name(tables.crs),
        "lengths": figures.lengths(tables.cracks),
        "widths": figures.widths(tables.cracks),
        "coverage": figures.coverage(tables.images, _ground_m2(output)),
        "familiarity": figures.familiarity(tables.images, record),
        "quarantine": figures.quarantine(tables.images),
        "changes": changes.changes(output.hidden / PREVIOUS, tables.images),
        "older_year": changes.since_older_year(output.root),
        "provenance": provenance(record),
        "sections": None if sections is None else _plain(sections.rows),
        "without_picture": [{"image_id": name, "why": why} for name, why in sorted(cut_outs.missing.items())],
        "all_rows": len(tables.cracks.crack_id),
    }


def _deliveries(record: Mapping[str, Any], sources: Sequence[Path]) -> list[Told]:
    """What the surveys of a run tell of their deliveries, where `crackpipe frames` made them."""
    places = [Path(place) for place in sources or record.get("survey", ())]
    return [told for told in map(told_by, sorted(set(places))) if told is not None]


def _ground_m2(output: Output) -> float | None:
    """What was inspected, each piece of ground once; None in outputs of before."""
    ground_m2 = (publishing.read_tables(output) or {}).get("map_figures", {}).get("ground_m2")
    return None if ground_m2 is None else float(ground_m2)


def _name_of(record: Mapping[str, Any]) -> str:
    """The folder names of the survey, without the way to them."""
    return ", ".join(Path(source).name for source in record.get("survey", ()))


def _plain(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: rounded(value) for name, value in row.items()} for row in rows]


def _write(target: Path, content: bytes) -> None:
    """Whole or not at all. Raises OSError."""
    staged = target.with_name(f"{target.name}.staged")
    try:
        staged.write_bytes(content)
        replace_file(staged, target)
    except OSError:
        staged.unlink(missing_ok=True)
        raise
