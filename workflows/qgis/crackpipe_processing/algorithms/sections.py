"""`crackpipe sections`: cracks per road section."""

from pathlib import Path

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputFile,
    QgsProcessingParameterField,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorLayer,
)

from crackpipe_processing import layers
from crackpipe_processing.algorithms.base import LOAD, OUT, CrackpipeAlgorithm

CENTRELINE, ROUTE_FIELD, LENGTH = "CENTRELINE", "ROUTE_FIELD", "LENGTH"
LANE_WIDTH, OFFSETS, PROFILE, GPKG = "LANE_WIDTH", "OFFSETS", "PROFILE", "GPKG"
_OPTIONS = (
    (ROUTE_FIELD, "--route-field"),
    (LENGTH, "--length"),
    (LANE_WIDTH, "--lane-width"),
    (PROFILE, "--profile"),
)


class Sections(CrackpipeAlgorithm):
    """Count the cracks of each road section."""

    command = "sections"
    title = "Cracks per road section"
    help = (
        "Counts the cracks of a finished run along the lines of a road network: lengths by width class and "
        "type, widths, density and coverage for each section of each lane.\n\n"
        "Ground that was not inspected has no figures, never 0."
    )

    def initAlgorithm(self, _configuration=None) -> None:  # noqa: N802  named by QGIS
        """Parameters and outputs."""
        self.add_result_folder()
        self.addParameter(
            QgsProcessingParameterVectorLayer(
                CENTRELINE,
                "Lines of the routes (empty: along the vehicle's track)",
                [QgsProcessing.TypeVectorLine],
                optional=True,
            )
        )
        self.addParameter(
            QgsProcessingParameterField(
                ROUTE_FIELD,
                "Column with the name of the route (empty: route_id)",
                None,
                CENTRELINE,
                optional=True,
            )
        )
        self.addParameter(
            _text(
                LENGTH, "Length of a section: 100m, 0.1mi, 528ft, 1km (empty: as the profile says, else 100m)"
            )
        )
        self.addParameter(_text(LANE_WIDTH, "Width of a lane, m (empty: as the profile says, else 3.5)"))
        self.addParameter(
            _text(
                OFFSETS,
                "From the route to the centre of lane 1, 2 ..., m, to the right of rising measure",
            )
        )
        self.addParameter(
            _text(PROFILE, "Profile: aashto-r85, ap9k, fhwa-23cfr490, lcms-simple, rocond, zeb (empty: none)")
        )
        self.add_load()
        self.add_extra()
        self.addOutput(QgsProcessingOutputFile(GPKG, "Sections, cracks and images"))

    def processAlgorithm(self, parameters, context, feedback):  # noqa: N802  named by QGIS
        """Count, bring the sections into cracks.gpkg, and load it."""
        out = Path(self.parameterAsFile(parameters, OUT, context))
        words = [str(out)]
        lines = self.file_of_layer(parameters, CENTRELINE, context, feedback)
        if lines is not None:
            words += ["--centreline", lines]
        for name, option in _OPTIONS:
            value = self.parameterAsString(parameters, name, context)
            if value:
                words += [option, value]
        for offset in self.parameterAsString(parameters, OFFSETS, context).replace(",", " ").split():
            words += ["--offset", offset]
        self.call([*words, *self.extra_words(parameters, context)], feedback)
        gpkg = out / "cracks.gpkg"
        if self.parameterAsBool(parameters, LOAD, context):
            layers.load(gpkg, context)
        return {OUT: str(out), GPKG: str(gpkg) if gpkg.is_file() else None}


def _text(name: str, text: str) -> QgsProcessingParameterString:
    return QgsProcessingParameterString(name, text, optional=True)
