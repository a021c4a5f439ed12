"""Which file names somebody could mean as images, and what helps where a format is not read.

Only the suffix is looked at. A file of a format that is not read has a row with a remedy, because its owner
meant it as an image. An archive is no image, but images may be inside, so it is named in a warning.
"""

from pathlib import Path

SUPPORTED_SUFFIXES = frozenset({".tif", ".tiff", ".jpg", ".jpeg", ".png"})
"""Suffixes, in lower case, of files that are inspected."""

_CONVERT = "Convert it: gdal_translate -co TILED=YES -co COMPRESS=DEFLATE IN OUT.tif"
_EXPORT = "Open it in a program that reads it, and export it as GeoTIFF, or as PNG with a world file."
_DEVELOP = "Develop it with the camera's program, and put a world file beside the JPEG or TIFF."
_MAKER = "Export its images as GeoTIFF, or as JPEG with world files, from the program of the camera's maker."

# Suffixes in lower case -> what to do. Each command was tried with a file of the format.
_REMEDIES = {
    # the same formats under another name
    (".gtiff", ".gtif", ".geotiff", ".bigtiff", ".btf", ".tf8", ".cog"): "Rename it: mv IN OUT.tif",
    (".jfif", ".jfi", ".jif", ".jpe"): "Rename it: mv IN OUT.jpg",
    # what GDAL reads
    (".bmp", ".gif", ".img", ".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jpx", ".mrf", ".vrt"): _CONVERT,
    (".pbm", ".pgm", ".pnm", ".ppm", ".rgb", ".sgi", ".webp"): _CONVERT,
    (".bil", ".bip", ".bsq", ".ers", ".nitf", ".nsf", ".ntf"): _CONVERT,
    # what GDAL reads with some drivers only, or not at all
    (".ecw", ".mrsid", ".sid", ".avif", ".heic", ".heif", ".jxl", ".jxr", ".hdp", ".wdp"): _EXPORT,
    (".exr", ".pcx", ".psb", ".psd", ".tga"): _EXPORT,
    (".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".fff", ".iiq", ".nef", ".nrw"): _DEVELOP,
    (".orf", ".pef", ".raf", ".rw2", ".srw", ".x3f"): _DEVELOP,
    (".fis", ".raw"): _MAKER,
}
_REMEDY_OF = {suffix: remedy for suffixes, remedy in _REMEDIES.items() for suffix in suffixes}

_IMAGE_SUFFIXES = SUPPORTED_SUFFIXES | set(_REMEDY_OF)
_ARCHIVE_SUFFIXES = frozenset(
    {".7z", ".bz2", ".gz", ".rar", ".tar", ".tbz2", ".tgz", ".txz", ".xz", ".zip", ".zst"}
)


def is_image(path: Path) -> bool:
    """Whether a file could be meant as an image, whether or not its format is read."""
    return path.suffix.lower() in _IMAGE_SUFFIXES


def is_supported(path: Path) -> bool:
    """Whether a file has the suffix of a format that is read."""
    return path.suffix.lower() in SUPPORTED_SUFFIXES


def is_archive(path: Path) -> bool:
    """Whether a file is an archive by its name: no image, but images may be inside."""
    return path.suffix.lower() in _ARCHIVE_SUFFIXES


def remedy_of(path: Path) -> str:
    """What to do with a file whose format is not read."""
    plain = "Take it out of the list. Images are .tif, .tiff, .jpg, .jpeg and .png files."
    return _REMEDY_OF.get(path.suffix.lower(), plain)
