"""`crackpipe report`: one page that a road agency can send around."""

from pathlib import Path

from qgis.core import QgsProcessingOutputHtml

from crackpipe_processing.algorithms.base import OUT, CrackpipeAlgorithm

REPORT = "REPORT"


class Report(CrackpipeAlgorithm):
    """Make the report of a result."""

    command = "report"
    title = "Report of a run"
    help = (
        "Makes report.html: a map of the cracks, the worst sections, lengths and widths with their "
        "uncertainty, coverage and quarantine, in one file that needs no network.\n\n"
        "If sections were counted before, it has them too."
    )

    def initAlgorithm(self, _configuration=None) -> None:  # noqa: N802  named by QGIS
        """Parameters and outputs."""
        self.add_result_folder()
        self.add_extra()
        self.addOutput(QgsProcessingOutputHtml(REPORT, "Report"))

    def processAlgorithm(self, parameters, context, feedback):  # noqa: N802  named by QGIS
        """Make it."""
        out = self.parameterAsFile(parameters, OUT, context)
        self.call([out, *self.extra_words(parameters, context)], feedback)
        return {OUT: out, REPORT: str(Path(out) / "report.html")}
