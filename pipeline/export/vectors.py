"""One layer into one file of a vector format. pyogrio writes; it is given a batch of rows at a time."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyogrio
from pyproj import CRS

from crackpipe.pipeline.export.layers import Layer

_SETTINGS = {
    # Formats that name the time of their last change name this one: the same rows give the same bytes.
    "OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z",
    # The file is flushed once, when it is whole; until then it lies where nobody looks.
    "OGR_SQLITE_SYNCHRONOUS": "OFF",
    # In MB, for the pages of a GeoPackage.
    "OGR_SQLITE_CACHE": "64",
    # With several, vector tiles may hold their features in another order each time.
    "GDAL_NUM_THREADS": "1",
}


def write_layer(
    layer: Layer,
    target: Path,
    driver: str,
    options: Mapping[str, str],
    dataset_options: Mapping[str, str] | None = None,
) -> None:
    """Write a layer to `target` with one of GDAL's drivers, its layer options and its dataset's.

    A GeoPackage that is there gets the layer besides its others. Raises OSError, pyarrow.ArrowInvalid, or an
    error of pyogrio.
    """
    write_rows(
        layer,
        layer.schema,
        layer.batches(),
        target=target,
        driver=driver,
        options=options,
        dataset_options=dataset_options,
    )


def write_rows(
    layer: Layer,
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
    *,
    target: Path,
    driver: str,
    options: Mapping[str, str],
    dataset_options: Mapping[str, str] | None = None,
) -> None:
    """As `write_layer`, with other rows than the layer's own: `batches` of `schema`."""
    reader = pa.RecordBatchReader.from_batches(schema, batches)
    with settings(), warnings.catch_warnings():
        # a survey whose images name no CRS has none; its tables say so
        warnings.filterwarnings("ignore", message="'crs' was not provided")
        pyogrio.write_arrow(
            reader,
            target,
            layer=layer.name,
            driver=driver,
            geometry_name="geometry",
            geometry_type=layer.geometry_type,
            crs=None if layer.crs is None else _crs_text(layer.crs),
            layer_options=dict(options),
            dataset_options=dict(dataset_options or {}),
        )


def _crs_text(crs: CRS) -> str:
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.to_wkt())


@contextmanager
def settings() -> Iterator[None]:
    """Within, GDAL has the settings that give the same bytes each time."""
    before = {name: pyogrio.get_gdal_config_option(name) for name in _SETTINGS}
    pyogrio.set_gdal_config_options(_SETTINGS)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)
