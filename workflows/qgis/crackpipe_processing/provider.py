"""The algorithms, and the setting with the path of the program."""

from pathlib import Path

from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from crackpipe_processing.algorithms.export import Export
from crackpipe_processing.algorithms.report import Report
from crackpipe_processing.algorithms.run import Run
from crackpipe_processing.algorithms.sections import Sections

PROGRAM = "CRACKPIPE_PROGRAM"
_ICON = Path(__file__).parent / "icon.svg"


class CrackpipeProvider(QgsProcessingProvider):
    """What the Processing toolbox shows as `crackpipe`."""

    def load(self) -> bool:
        """Called once, before anything else."""
        ProcessingConfig.settingIcons[self.name()] = self.icon()
        ProcessingConfig.addSetting(
            Setting(
                self.name(),
                PROGRAM,
                "Path of the program crackpipe (empty: what the PATH has)",
                "",
                valuetype=Setting.STRING,
            )
        )
        ProcessingConfig.readSettings()
        self.refreshAlgorithms()
        return True

    def unload(self) -> None:
        """Called when the plugin is switched off."""
        ProcessingConfig.removeSetting(PROGRAM)

    def loadAlgorithms(self) -> None:  # noqa: N802  named by QGIS
        """The algorithms, in the order of the work."""
        for kind in (Run, Sections, Export, Report):
            self.addAlgorithm(kind())

    def id(self) -> str:
        """First half of the algorithms' names, as in `crackpipe:run`."""
        return "crackpipe"

    def name(self) -> str:
        """What a person sees."""
        return "crackpipe"

    def icon(self) -> QIcon:
        """A crack on a road."""
        return QIcon(str(_ICON))
