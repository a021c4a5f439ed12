"""`crackpipe export`: the result of a run in the formats that other programs open."""

from qgis.core import (
    QgsProcessingOutputFolder,
    QgsProcessingOutputMultipleLayers,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
)

from crackpipe_processing.algorithms.base import OUT, CrackpipeAlgorithm

FORMATS, TO, FILES = "FORMATS", "TO", "FILES"
NAMES = ("gpkg", "fgb", "geojson", "csv", "shp", "cog", "pmtiles", "stac")
"""As on the command line."""


class Export(CrackpipeAlgorithm):
    """Write a result in other formats."""

    command = "export"
    title = "Export the result of a run"
    help = (
        "Writes cracks, images and sections of a finished run as GeoPackage, FlatGeobuf, GeoJSON, CSV, "
        "Shapefile or PMTiles, the masks as Cloud Optimized GeoTIFF, or a STAC "
        "catalogue.\n\nA file that somebody changed is kept under another name, such as cracks.edited-1.gpkg."
    )

    def initAlgorithm(self, _configuration=None) -> None:  # noqa: N802  named by QGIS
        """Parameters and outputs."""
        self.add_result_folder()
        self.addParameter(
            QgsProcessingParameterEnum(FORMATS, "Formats", list(NAMES), allowMultiple=True, defaultValue=[0])
        )
        self.addParameter(
            QgsProcessingParameterFile(
                TO,
                "Folder for the files (empty: the result itself)",
                QgsProcessingParameterFile.Folder,
                optional=True,
            )
        )
        self.add_extra()
        self.addOutput(QgsProcessingOutputFolder(TO, "Folder of the files"))
        self.addOutput(QgsProcessingOutputMultipleLayers(FILES, "Files"))

    def processAlgorithm(self, parameters, context, feedback):  # noqa: N802  named by QGIS
        """Write the files."""
        out = self.parameterAsFile(parameters, OUT, context)
        to = self.parameterAsFile(parameters, TO, context)
        words = [out]
        for index in self.parameterAsEnums(parameters, FORMATS, context):
            words += ["--format", NAMES[index]]
        if to:
            words += ["--to", to]
        ended = self.call([*words, *self.extra_words(parameters, context)], feedback)
        return {TO: to or out, FILES: ended.results}
