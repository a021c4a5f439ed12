"""FlatGeobuf, GeoJSON, CSV, PMTiles and Shapefile: a file for each layer, and what each format cannot hold.

GeoJSON is in degrees of WGS 84, as RFC 7946 wants it. A Shapefile has column names of ten characters and
texts of 254 bytes; what that changes is listed beside it. In a CSV, a text that a spreadsheet would run as a
formula gets an apostrophe in front: https://owasp.org/www-community/attacks/CSV_Injection.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.console.printable import FORMULA
from crackpipe.pipeline.export.layers import Layer, alias_of, description_of
from crackpipe.pipeline.export.pmtiles import write_pmtiles
from crackpipe.pipeline.export.vectors import write_layer, write_rows

_SHAPE_NAME, _SHAPE_TEXT_BYTES = 10, 254
_SHORT = {
    "width_sigma_mm": "w_sigma_mm",
    "width_p95_mm": "w_p95_mm",
    "width_max_mm": "w_max_mm",
    "width_class": "w_class",
    "class_uncertain": "uncertain",
    "orientation_deg": "orient_deg",
    "inspected_m2": "inspect_m2",
    "uninspected_m2": "uninsp_m2",
    "screened_m2": "screen_m2",
    "crack_length_m": "crack_m",
    "crack_length_tiny_m": "tiny_m",
    "crack_length_small_m": "small_m",
    "crack_length_wide_m": "wide_m",
    "familiarity": "familiar",
    "overlaps_with": "overlaps",
}
"""Names for a Shapefile; columns that are not here are shortened by rule."""
_SHAPE = {
    "ENCODING": "UTF-8",
    "DBF_DATE_LAST_UPDATE": "2000-01-01",  # else today, and the bytes would differ each day
}
_GEOJSON = {
    "RFC7946": "YES",
    "COORDINATE_PRECISION": "9",  # a tenth of a millimetre; the default of 7 digits is a centimetre
    "WRITE_BBOX": "YES",
}
_CSV = {
    "GEOMETRY": "AS_WKT",
    "WRITE_BOM": "YES",  # without it, Excel takes UTF-8 for something else
    "STRING_QUOTING": "IF_NEEDED",
    "SEPARATOR": "COMMA",
    "LINEFORMAT": "LF",  # on every system
}


def write_tables(layers: Sequence[Layer], form: str, folder: Path) -> None:
    """Write the layers into `folder`: `LAYER.fgb`, `.geojson`, `.csv` or `.pmtiles` each, or a folder `shp`.

    Raises what `write_layer` raises.
    """
    for layer in layers:
        target = folder / f"{layer.name}.{form}"
        if form == "fgb":
            write_layer(layer, target, "FlatGeobuf", {"SPATIAL_INDEX": _yes_or_no(_is_placed(layer))})
        elif form == "geojson":
            write_layer(layer, target, "GeoJSON", _GEOJSON)
        elif form == "csv":
            schema = pa.schema([_in_csv(field) for field in layer.schema])
            batches = (_harmless(batch, schema) for batch in layer.batches())
            write_rows(layer, schema, batches, target=target, driver="CSV", options=_CSV)
        elif form == "pmtiles":
            write_pmtiles(layer, target)
        else:
            (folder / "shp").mkdir(exist_ok=True)
            _write_shapefile(layer, folder / "shp")


def _yes_or_no(value: bool) -> str:
    return "YES" if value else "NO"


def _is_placed(layer: Layer) -> bool:
    """Whether each row has a geometry: the index of a FlatGeobuf can hold no other."""
    return all(batch.column("geometry").null_count == 0 for batch in layer.batches())


# ---- CSV


def _in_csv(field: pa.Field) -> pa.Field:
    """A date is text there: as ISO 8601, not as GDAL's 2025/05/20."""
    return field.with_type(pa.string()) if pa.types.is_date(field.type) else field


def _harmless(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The rows as `schema` has them, with an apostrophe before each text that would be a formula."""
    columns = [
        _without_formulas(column.cast(pa.string())) if pa.types.is_string(field.type) else column
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _without_formulas(texts: pa.Array) -> pa.Array:
    is_formula = pc.match_substring_regex(texts, FORMULA)
    return pc.if_else(is_formula, pc.binary_join_element_wise("'", texts, ""), texts)


# ---- Shapefile


def _write_shapefile(layer: Layer, folder: Path) -> None:
    names = short_names(layer.schema.names)
    fields = [pa.field(names[field.name], field.type, metadata={}) for field in layer.schema]
    fields[layer.schema.get_field_index("geometry")] = layer.schema.field("geometry")
    schema = pa.schema(fields)
    cut: dict[str, int] = {}
    batches = _fitting(layer.batches(), schema, cut)
    target = folder / f"{layer.name}.shp"
    write_rows(layer, schema, batches, target=target, driver="ESRI Shapefile", options=_SHAPE)
    with (folder / f"{layer.name}.columns.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["column", "name", "alias", "description", "texts_cut"])
        for field in layer.schema:
            if field.name != "geometry":
                short = names[field.name]
                lines.writerow(
                    [short, field.name, alias_of(field.name), description_of(field), cut.get(short, 0)]
                )
    if cut:
        said = ", ".join(f"{count} of {column}" for column, count in sorted(cut.items()))
        log.warning(
            f"{layer.name}.shp: texts of more than {_SHAPE_TEXT_BYTES} bytes were cut, as a Shapefile holds "
            f"no longer ones: {said}. The other formats hold them whole."
        )


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Names of at most ten characters, all different, by column.

    A name that fits stays. Of a longer one that has no short name here, vowels within its words go first,
    then the longest words are cut.
    """
    short: dict[str, str] = {name: name for name in names if len(name) <= _SHAPE_NAME}
    for name in names:
        if name not in short:
            short[name] = _free(_SHORT.get(name) or _shortened(name), set(short.values()))
    return short


def _shortened(name: str) -> str:
    words = [word[:1] + "".join(c for c in word[1:] if c not in "aeiou") for word in name.split("_")]
    while len("_".join(words)) > _SHAPE_NAME:
        longest = max(range(len(words)), key=lambda number: (len(words[number]), -number))
        if len(words[longest]) == 1:
            return "".join(words)[:_SHAPE_NAME]
        words[longest] = words[longest][:-1]
    return "_".join(words)


def _free(name: str, taken: set[str]) -> str:
    """The name, or with a number at its end where another column has it; DBF does not tell cases apart."""
    lower = {each.lower() for each in taken}
    number, free = 1, name
    while free.lower() in lower:
        number += 1
        free = f"{name[: _SHAPE_NAME - len(str(number))]}{number}"
    return free


def _fitting(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema, cut: dict[str, int]
) -> Iterator[pa.RecordBatch]:
    """The rows under their short names, each text cut to what fits; `cut` counts the cut ones by column."""
    for batch in batches:
        columns = [
            _cut(column, field.name, cut) if pa.types.is_string(field.type) else column
            for column, field in zip(batch.columns, schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _cut(texts: pa.Array, name: str, cut: dict[str, int]) -> pa.Array:
    too_long = pc.sum(pc.greater(pc.binary_length(texts), _SHAPE_TEXT_BYTES)).as_py() or 0
    if not too_long:
        return texts
    cut[name] = cut.get(name, 0) + too_long
    whole = [None if text is None else text.encode()[:_SHAPE_TEXT_BYTES] for text in texts.to_pylist()]
    return pa.array([None if text is None else text.decode(errors="ignore") for text in whole], pa.string())
