"""The plugin as a zip that QGIS installs: `make qgis-plugin`. The same files give the same bytes.

python workflows/qgis/make_zip.py build/crackpipe_processing.zip
"""

import sys
import zipfile
from pathlib import Path

PLUGIN = Path(__file__).parent / "crackpipe_processing"
KINDS = {".py", ".txt", ".svg"}
LICENCE = Path(__file__).parents[2] / "LICENSE"


def make_zip(target: Path) -> None:
    """Write the zip, whole or not at all."""
    files = {
        file: file.relative_to(PLUGIN.parent) for file in sorted(PLUGIN.rglob("*")) if file.suffix in KINDS
    }
    files[LICENCE] = Path(PLUGIN.name) / "LICENSE"
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, name in files.items():
            entry = zipfile.ZipInfo(name.as_posix())  # its date is 1980, whenever the file was written
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3
            archive.writestr(entry, file.read_bytes())
    partial.replace(target)


if __name__ == "__main__":
    make_zip(Path(sys.argv[1]))
    print(sys.argv[1])
