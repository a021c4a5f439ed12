"""The layers of cracks.gpkg, with the styles that lie in it."""

from pathlib import Path

from qgis.core import QgsProcessingContext, QgsProcessingLayerPostProcessorInterface, QgsVectorLayer

# From bottom to top in the list of layers.
_LAYERS = ("images", "sections", "cracks")


class _StyleOfTheFile(QgsProcessingLayerPostProcessorInterface):
    """Gives a layer the style of the file again: Processing has put its own default in place of it."""

    def postProcessLayer(self, layer, _context, _feedback) -> None:  # noqa: N802  named by QGIS
        """Called in the main thread, once the layer is in the project."""
        layer.loadDefaultStyle()
        layer.triggerRepaint()


# One for each layer: QGIS deletes it when the algorithm has ended. Until then Python must not throw it away.
_KEPT: list[_StyleOfTheFile] = []


def styled(gpkg: Path, name: str) -> QgsVectorLayer:
    """One layer of the file, drawn as the file says."""
    layer = QgsVectorLayer(f"{gpkg}|layername={name}", name, "ogr")
    layer.loadDefaultStyle()
    return layer


def load(gpkg: Path, context: QgsProcessingContext) -> list[str]:
    """Let QGIS add the layers of the file to the project when the algorithm has ended; gives their names."""
    if context.project() is None or not gpkg.is_file():
        return []
    loaded = []
    for name in _LAYERS:
        layer = styled(gpkg, name)
        if not layer.isValid():
            continue  # sections are there only after `sections`
        context.temporaryLayerStore().addMapLayer(layer)
        details = QgsProcessingContext.LayerDetails(f"{gpkg.parent.name}: {name}", context.project(), name)
        _KEPT.append(_StyleOfTheFile())
        details.setPostProcessor(_KEPT[-1])
        context.addLayerToLoadOnCompletion(layer.id(), details)
        loaded.append(name)
    return loaded
