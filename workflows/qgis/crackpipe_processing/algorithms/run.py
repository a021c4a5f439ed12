"""`crackpipe run`: a survey becomes crack maps."""

from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessing,
    QgsProcessingOutputFile,
    QgsProcessingOutputFolder,
    QgsProcessingParameterCrs,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorLayer,
)

from crackpipe_processing import layers, process
from crackpipe_processing.algorithms.base import LOAD, OUT, CrackpipeAlgorithm

SURVEY, REGION, ASSUME_CRS, CRS = "SURVEY", "REGION", "ASSUME_CRS", "CRS"
WEIGHTS, THRESHOLD, WORKERS, GPUS = "WEIGHTS", "THRESHOLD", "WORKERS", "GPUS"
GPKG = "GPKG"


class Run(CrackpipeAlgorithm):
    """Map the cracks of a folder of images."""

    command = "run"
    title = "Map the cracks of a survey"
    help = (
        "Finds the cracks on georeferenced road images, measures their widths, and loads them as lines.\n\n"
        "Started again with the same values, it does only what is missing or changed. That is also how a "
        "run goes on that was cancelled. Images that cannot be inspected are set aside, each with a reason "
        "and a remedy."
    )

    def initAlgorithm(self, _configuration=None) -> None:  # noqa: N802  named by QGIS
        """Parameters and outputs."""
        folder = QgsProcessingParameterFile.Folder
        self.addParameter(QgsProcessingParameterFile(SURVEY, "Survey: folder with the images", folder))
        self.addParameter(
            QgsProcessingParameterFile(
                OUT, "Folder for the result (empty: SURVEY-cracks beside the survey)", folder, optional=True
            )
        )
        self.addParameter(
            QgsProcessingParameterVectorLayer(
                REGION, "Inspect only inside these polygons", [QgsProcessing.TypeVectorPolygon], optional=True
            )
        )
        self.addParameter(
            QgsProcessingParameterCrs(ASSUME_CRS, "CRS of images that name none", optional=True)
        )
        self.addParameter(
            QgsProcessingParameterCrs(
                CRS, "CRS of the result (empty: the commonest of the survey)", optional=True
            )
        )
        self.addParameter(
            QgsProcessingParameterString(
                WEIGHTS, "Weights: a name or a file (empty: the default)", optional=True
            )
        )
        self.addParameter(
            _number(
                THRESHOLD, "Probability from which a pixel is crack (empty: as the weights say)", 0.001, 1.0
            )
        )
        self.addParameter(_count(WORKERS, "Worker processes (empty: one per core)"))
        self.addParameter(_count(GPUS, "GPUs"))
        self.add_load()
        self.add_extra()
        self.addOutput(QgsProcessingOutputFolder(OUT, "Folder of the result"))
        self.addOutput(QgsProcessingOutputFile(GPKG, "Cracks and images"))

    def processAlgorithm(self, parameters, context, feedback):  # noqa: N802  named by QGIS
        """Run it, and load what it found."""
        survey = Path(self.parameterAsFile(parameters, SURVEY, context))
        given = self.parameterAsFile(parameters, OUT, context)
        out = Path(given) if given else survey.absolute().with_name(f"{survey.absolute().name}-cracks")
        words = [str(survey), "--out", str(out)]
        region = self.file_of_layer(parameters, REGION, context, feedback)
        if region is not None:
            words += ["--region", region]
        for name, option in ((ASSUME_CRS, "--assume-crs"), (CRS, "--crs")):
            crs = self.parameterAsCrs(parameters, name, context)
            if crs.isValid():
                wkt = crs.toWkt(QgsCoordinateReferenceSystem.WKT2_2019)
                words += [option, process.crs_word(crs.authid(), wkt)]
        weights = self.parameterAsString(parameters, WEIGHTS, context)
        if weights:
            words += ["--weights", weights]
        for name, option in ((THRESHOLD, "--threshold"), (WORKERS, "--workers"), (GPUS, "--gpus")):
            if parameters.get(name) is not None:
                value = self.parameterAsDouble(parameters, name, context)
                words += [option, f"{value:g}" if name == THRESHOLD else str(int(value))]
        self.call([*words, *self.extra_words(parameters, context)], feedback)
        gpkg = out / "cracks.gpkg"
        if self.parameterAsBool(parameters, LOAD, context):
            layers.load(gpkg, context)
        return {OUT: str(out), GPKG: str(gpkg) if gpkg.is_file() else None}


def _count(name: str, text: str) -> QgsProcessingParameterNumber:
    return QgsProcessingParameterNumber(
        name, text, QgsProcessingParameterNumber.Integer, optional=True, minValue=1
    )


def _number(name: str, text: str, low: float, high: float) -> QgsProcessingParameterNumber:
    kind = QgsProcessingParameterNumber.Double
    return QgsProcessingParameterNumber(name, text, kind, optional=True, minValue=low, maxValue=high)
