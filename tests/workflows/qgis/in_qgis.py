"""What the tests do inside QGIS. The system's Python runs it, which has QGIS's modules.

    /usr/bin/python3 in_qgis.py draw GPKG PICTURE
    /usr/bin/python3 in_qgis.py run PLUGINS SURVEY OUT [cancel]

It prints one JSON object.
"""

import json
import signal
import sys

sys.path.append("/usr/share/qgis/python/plugins")

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProject,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def draw(gpkg: str, picture: str) -> dict:
    """Draw the layers of the file as a person sees them who drags it into the map."""
    layers = [QgsVectorLayer(f"{gpkg}|layername={name}", name, "ogr") for name in ("cracks", "images")]
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(layers[0].crs())
    settings.setBackgroundColor(QColor("white"))
    settings.setOutputSize(QSize(1000, 800))
    extent = layers[0].extent()
    extent.scale(1.1)
    settings.setExtent(extent)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(picture)
    return {
        layer.name(): {
            "rows": layer.featureCount(),
            "renderer": layer.renderer().type(),
            "legend": [item.label() for item in layer.renderer().legendSymbolItems()],
            "aliases": sum(bool(field.alias()) for field in layer.fields()),
        }
        for layer in layers
    }


class Watching(QgsProcessingFeedback):
    """Keeps what it is told, and cancels at the first words about images if asked to."""

    def __init__(self, cancels: bool) -> None:
        super().__init__()
        self.cancels, self.said, self.warnings, self.shares = cancels, [], [], []
        self.progressChanged.connect(self.shares.append)

    def pushInfo(self, text: str) -> None:  # noqa: N802
        self.said.append(text)
        if self.cancels and "images to inspect" in text:
            self.cancel()

    def pushWarning(self, text: str) -> None:  # noqa: N802
        self.warnings.append(text)


def run(plugins: str, survey: str, out: str, cancels: bool) -> dict:
    """The algorithm as the toolbox of QGIS runs it, and the layers that it would load."""
    sys.path.append(plugins)
    from processing.core.Processing import Processing

    Processing.initialize()
    import crackpipe_processing

    plugin = crackpipe_processing.classFactory(None)
    plugin.initGui()
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("crackpipe:run")
    context, feedback = QgsProcessingContext(), Watching(cancels)
    context.setProject(QgsProject.instance())
    given = {"SURVEY": survey, "OUT": out, "EXTRA": "--serial"}
    told = {"settings": algorithm.provider().name()}
    try:
        results, succeeded = algorithm.run(given, context, feedback, catchExceptions=False)
    except QgsProcessingException as error:
        results, succeeded, told["error"] = {}, False, str(error)
    loaded = {}
    for layer_id, details in context.layersToLoadOnCompletion().items():
        layer = context.temporaryLayerStore().mapLayer(layer_id)
        layer.setRenderer(None)  # as if Processing had put a style of its own in place
        details.postProcessor().postProcessLayer(layer, context, feedback)
        loaded[details.name] = layer.renderer().type()
    plugin.unload()
    told |= {"succeeded": succeeded, "results": results, "loaded": loaded, "shares": feedback.shares}
    return {**told, "said": feedback.said, "warnings": feedback.warnings}


if __name__ == "__main__":
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    what, *arguments = sys.argv[1:]
    # a test run that was started in the background hands down an ignored SIGINT, by which a run is cancelled
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    print(json.dumps(draw(*arguments) if what == "draw" else run(*arguments[:3], "cancel" in arguments)))
    sys.stdout.flush()
    application.exitQgis()
