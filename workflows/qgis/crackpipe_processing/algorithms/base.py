"""What all algorithms have in common: they start the program and show what it says."""

import shlex

from processing.core.ProcessingConfig import ProcessingConfig
from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterString,
    QgsProcessingUtils,
)
from qgis.PyQt.QtGui import QIcon

from crackpipe_processing import process

OUT, EXTRA, LOAD = "OUT", "EXTRA", "LOAD"


class CrackpipeAlgorithm(QgsProcessingAlgorithm):
    """One command of the program. Subclasses say which, its parameters and its words."""

    command = ""
    """Its name, on the command line and in QGIS."""
    title = ""
    help = ""

    def createInstance(self):  # noqa: N802  named by QGIS
        """A new one of the same kind."""
        return type(self)()

    def name(self) -> str:
        """Second half of the name, as in `crackpipe:run`."""
        return self.command

    def displayName(self) -> str:  # noqa: N802  named by QGIS
        """What a person sees."""
        return self.title

    def shortHelpString(self) -> str:  # noqa: N802  named by QGIS
        """Shown beside the parameters."""
        return self.help

    def icon(self) -> QIcon:
        """That of the provider."""
        return self.provider().icon() if self.provider() else QIcon()

    # ---- parameters that several have

    def add_result_folder(self) -> None:
        """The folder of a finished run."""
        self.addParameter(
            QgsProcessingParameterFile(OUT, "Result of a run (folder)", QgsProcessingParameterFile.Folder)
        )

    def add_extra(self) -> None:
        """Options that have no field of their own."""
        extra = QgsProcessingParameterString(
            EXTRA, f"Further options of `crackpipe {self.command}`, as on the command line", optional=True
        )
        extra.setFlags(extra.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
        self.addParameter(extra)

    def add_load(self) -> None:
        """Whether the layers go into the project."""
        self.addParameter(
            QgsProcessingParameterBoolean(LOAD, "Load the layers, with their styles", defaultValue=True)
        )

    def extra_words(self, parameters, context) -> list[str]:
        """The words of EXTRA. Raises QgsProcessingException where a quotation mark is open."""
        text = self.parameterAsString(parameters, EXTRA, context)
        try:
            return shlex.split(text)
        except ValueError as error:
            raise QgsProcessingException(f"Further options {text!r}: {error}.") from error

    def file_of_layer(self, parameters, name, context, feedback) -> str | None:
        """The features of a layer as a GeoPackage of one layer, whatever their source; None if none is given.

        So layers in memory, in databases and with filters can be used, and so can features that are edited.
        """
        layer = self.parameterAsVectorLayer(parameters, name, context)
        if layer is None:
            return None
        return QgsProcessingUtils.convertToCompatibleFormat(
            layer, False, name.lower(), [], "gpkg", context, feedback
        )

    # ---- the program

    def call(self, words, feedback) -> process.Ended:
        """Run the program with these words. Raises QgsProcessingException."""
        from crackpipe_processing.provider import PROGRAM

        try:
            command = [process.program(ProcessingConfig.getSetting(PROGRAM)), self.command, *words]
            feedback.pushCommandInfo(shlex.join(command))
            ended = process.call(
                command,
                on_line=lambda line, is_result: _show(line, is_result, feedback),
                on_share=lambda share: feedback.setProgress(100 * share),
                is_cancelled=feedback.isCanceled,
            )
        except process.ProgramError as error:
            raise QgsProcessingException(str(error)) from error
        except process.CancelledError as error:
            raise QgsProcessingException(
                "Cancelled. What is finished stays: start the algorithm again with the same values, and it "
                "goes on."
            ) from error
        if ended.exit_code == process.QUARANTINE:
            feedback.pushWarning(
                "Some images are in quarantine: the lines above, and the column `remedy` of the layer "
                "images, say why and what to do."
            )
        return ended


def _show(line: str, is_result: bool, feedback) -> None:
    if line.startswith(("quarantined ", "note: ")):
        feedback.pushWarning(line)
    elif is_result:
        feedback.pushConsoleInfo(line)
    else:
        feedback.pushInfo(line)
