"""The GeoPackage: all layers in one file, with the styles that QGIS takes by itself.

GDAL writes tables, spatial indexes and the descriptions of columns; the table `layer_styles`, which QGIS
reads the style of a layer from, is added with SQL. A GeoPackage names the time of its last change; here that
is one fixed time, so that the same tables give the same bytes. Format: https://www.geopackage.org/spec131/
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from crackpipe.pipeline.export.layers import Layer
from crackpipe.pipeline.export.qml import as_qml
from crackpipe.pipeline.export.sld import as_sld
from crackpipe.pipeline.export.styles import style_of
from crackpipe.pipeline.export.vectors import write_layer

_STYLES = """
CREATE TABLE "layer_styles" (
  "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  "f_table_catalog" TEXT(256), "f_table_schema" TEXT(256), "f_table_name" TEXT(256),
  "f_geometry_column" TEXT(256), "styleName" TEXT(30), "styleQML" TEXT, "styleSLD" TEXT,
  "useAsDefault" BOOLEAN, "description" TEXT, "owner" TEXT(30), "ui" TEXT(30), "update_time" DATETIME
)
"""
"""As QGIS itself makes it."""
_TIME = "2000-01-01T00:00:00.000Z"


def write_gpkg(layers: Sequence[Layer], target: Path, width_limits_mm: tuple[float, float] | None) -> None:
    """Write all layers to `target`, which must not exist.

    `width_limits_mm` as in `style_of`. The bytes depend on the layers and the limits only. Raises OSError,
    sqlite3.Error, or an error of pyogrio.
    """
    for layer in layers:
        options = {
            "IDENTIFIER": layer.name,
            "DESCRIPTION": layer.description,
            "GEOMETRY_NAME": "geometry",
            "FID": "fid",
            "SPATIAL_INDEX": "YES",
        }
        # GDAL before 3.7, such as that of Debian 12, warns of newer versions of the format
        write_layer(layer, target, "GPKG", options, {"VERSION": "1.2"})
    with closing(sqlite3.connect(target)) as database, database:
        _add_styles(database, layers, width_limits_mm)


def _add_styles(
    database: sqlite3.Connection, layers: Sequence[Layer], width_limits_mm: tuple[float, float] | None
) -> None:
    database.execute(_STYLES)
    for layer in layers:
        style = style_of(layer.name, width_limits_mm)
        database.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column,"
            " styleName, styleQML, styleSLD, useAsDefault, description, owner, update_time)"
            " VALUES ('', '', ?, 'geometry', ?, ?, ?, 1, 'as crackpipe draws it', '', ?)",
            (layer.name, f"{layer.name}, crackpipe", as_qml(style, layer.columns), as_sld(style), _TIME),
        )
    database.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change)"
        " VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?)",
        (_TIME,),
    )
    database.execute("INSERT INTO gpkg_ogr_contents VALUES ('layer_styles', ?)", (len(layers),))
