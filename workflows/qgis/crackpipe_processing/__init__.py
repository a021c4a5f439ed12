"""crackpipe in QGIS: a Processing provider that starts the installed `crackpipe`.

plugin      tells QGIS of the provider
provider    the algorithms, and the setting with the path of the program
process     the program as a process: its lines, its progress, cancelling it. Knows nothing of QGIS
layers      the layers of cracks.gpkg, with the styles that lie in it
algorithms/ one file per algorithm: what a person fills in becomes words of the command line"""


def classFactory(_iface):  # noqa: N802  named by QGIS
    """What QGIS calls to load a plugin."""
    from crackpipe_processing.plugin import Plugin

    return Plugin()
