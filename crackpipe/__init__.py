"""Crack maps from survey-vehicle imagery: tiles in, georeferenced crack lines with widths out."""

import os.path

__version__ = "0.1.0"

if not os.path.isdir(os.path.join(__path__[0], "pipeline")):  # noqa: PTH112, PTH118 (pathlib costs a tenth of `--help`)
    raise ImportError(
        f"{__path__[0]}/pipeline is not a folder: this copy of the source was made without symbolic links. "
        "Install it with `pip install .` and start Python in another folder, "
        "or clone it again with `git clone -c core.symlinks=true`."
    )
