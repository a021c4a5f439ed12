"""Columns have names for people, all different, and rows come in batches."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crackpipe.pipeline.export import layers
from crackpipe.pipeline.export.layers import alias_of, layers_of
from crackpipe.pipeline.sections import schemas
from crackpipe.pipeline.tables import crack_rows, image_rows


@pytest.mark.parametrize(
    "schema", [crack_rows.SCHEMA, image_rows.SCHEMA, schemas.SECTIONS], ids=["cracks", "images", "sections"]
)
def test_no_two_columns_of_a_layer_have_one_alias(schema: pa.Schema) -> None:
    aliases = [alias_of(name) for name in schema.names]
    assert len(set(aliases)) == len(aliases)


def test_units_are_written_as_people_write_them() -> None:
    assert alias_of("crack_length_m") == "Crack length (m)"
    assert alias_of("inspected_m2") == "Inspected (m²)"
    assert alias_of("gsd_mm") == "GSD (mm)"
    assert alias_of("m_begin") == "Begin (m)"


def test_rows_come_in_batches_and_in_their_order(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "ROWS_PER_BATCH", 2)
    cracks, images = layers_of(finished)
    assert (cracks.name, images.name) == ("cracks", "images")
    for layer in (cracks, images):
        batches = list(layer.batches())
        assert [batch.num_rows for batch in batches[:-1]] == [2] * (len(batches) - 1)
        wanted = pq.read_table(layer.file, columns=["image_id"]).column("image_id").to_pylist()
        assert pa.Table.from_batches(batches).column("image_id").to_pylist() == wanted
        assert layer.rows == len(wanted)
        assert "bbox" not in layer.columns
