"""Crack maps from survey-vehicle imagery: tiles in, georeferenced crack lines with widths out.

    import crackpipe

    out = crackpipe.run("survey_2025")           # or crackpipe.open("survey_2025-cracks")
    out.cracks.groupby("width_class").length_m.sum()

docs/use/python.md shows the rest.
"""

import os.path
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if not os.path.isdir(os.path.join(__path__[0], "pipeline")):  # noqa: PTH112, PTH118 (pathlib costs a tenth of `--help`)
    raise ImportError(
        f"{__path__[0]}/pipeline is not a folder: this copy of the source was made without symbolic links. "
        "Install it with `pip install .` and start Python in another folder, "
        "or clone it again with `git clone -c core.symlinks=true`."
    )

if TYPE_CHECKING:
    from crackpipe.pipeline.console.progress import Progress as Progress
    from crackpipe.pipeline.door.crack_map import CrackMap as CrackMap
    from crackpipe.pipeline.door.crack_map import open as open  # noqa: A004
    from crackpipe.pipeline.door.line_width import LineWidth as LineWidth
    from crackpipe.pipeline.door.line_width import measure_width as measure_width
    from crackpipe.pipeline.door.run import run as run
    from crackpipe.pipeline.errors import CrackpipeError as CrackpipeError
    from crackpipe.pipeline.width.fit.fit_width import WidthFit as WidthFit
    from crackpipe.pipeline.width.fit.fit_width import fit_width as fit_width

# Names are imported when they are first asked for, so that `import crackpipe` takes no time.
_GIVEN_OUT = {
    "CrackMap": "door.crack_map",
    "CrackpipeError": "errors",
    "LineWidth": "door.line_width",
    "Progress": "console.progress",
    "WidthFit": "width.fit.fit_width",
    "fit_width": "width.fit.fit_width",
    "measure_width": "door.line_width",
    "open": "door.crack_map",
    "run": "door.run",
}
__all__ = ["__version__", *_GIVEN_OUT]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    if name not in _GIVEN_OUT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.pipeline.{_GIVEN_OUT[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
