"""What tells QGIS of the provider."""

from qgis.core import QgsApplication

from crackpipe_processing.provider import CrackpipeProvider


class Plugin:
    """The plugin as QGIS handles it."""

    def __init__(self) -> None:
        self.provider = None

    def initProcessing(self) -> None:  # noqa: N802  named by QGIS
        """Add the provider. `qgis_process` calls this and nothing else."""
        self.provider = CrackpipeProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:  # noqa: N802  named by QGIS
        """QGIS itself calls this."""
        self.initProcessing()

    def unload(self) -> None:
        """Take the provider away."""
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
