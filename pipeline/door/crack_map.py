"""The folder of a result, opened for reading: `crackpipe.open`."""

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crackpipe.pipeline.errors import OutputDamagedError, UsageError
from crackpipe.pipeline.state.output import output_at
from crackpipe.pipeline.storage import sealed

if TYPE_CHECKING:
    import geopandas
    import xarray

    from crackpipe.pipeline.operate.findings import Verification

_NOT_YET = "the run has not come to its end. Run the same command again; it goes on where it stopped"
_REMEDIES = {
    "cracks": _NOT_YET,
    "images": _NOT_YET,
    "sections": "sections are made by a command of their own: `crackpipe sections {out} --centreline ROADS`",
}


@dataclass(frozen=True)
class CrackMap:
    """The result of a run.

    Tables are read when they are first asked for, and kept. Open the folder again to see what a later run
    made. All geometries have the CRS of the tables, and x before y.
    """

    path: Path
    """The folder of the result."""

    @cached_property
    def cracks(self) -> "geopandas.GeoDataFrame":
        """One row per crack: LineStrings with `length_m`, `width_mm`, `width_sigma_mm`, `width_class`, ...

        Raises UsageError where the table is not there yet, OutputDamagedError where it cannot be read.
        """
        return self._table("cracks")

    @cached_property
    def images(self) -> "geopandas.GeoDataFrame":
        """One row per file of the survey: footprints with `status`, and why an image is in quarantine.

        The geometry is None where nobody knows the place. Raises as `cracks`.
        """
        return self._table("images")

    @cached_property
    def sections(self) -> "geopandas.GeoDataFrame":
        """One row per road section: LineStrings with `length_m`, `coverage`, `crack_m`, `density_m_per_m2`,
        ...

        Raises UsageError, which says what makes them, where there are none.
        """
        return self._table("sections")

    def mask(self, image_id: str) -> "xarray.DataArray":
        """The mask of one image, uint8 (y, x): 0 sound, 1 crack (or 1, 2, ... by class), 255 not inspected.

        It is lazy: a chunk is read when its values are needed. Attributes `flag_values` and `flag_meanings`
        say what the numbers are. See `masks.opened` for the coordinates. Raises UsageError where the image
        has no mask.
        """
        return self._raster(image_id, "mask")

    def probability(self, image_id: str) -> "xarray.DataArray":
        """The network's probability of one image, uint8 (y, x): 0 to 254 for 0 to 1, 255 not inspected.

        Lazy, and with the coordinates of `mask`. Raises as `mask`.
        """
        return self._raster(image_id, "probability")

    @cached_property
    def record(self) -> dict[str, Any]:
        """What `run.json` says of the last run that came to its end: counts, versions, configuration,
        timings.

        Empty where no run has. docs/use/run.schema.json describes it.
        """
        return sealed.read_json(self.path / "run.json") or {}

    def verify(self) -> "Verification":
        """Compare every file with what was written, and decode every chunk of the masks.

        `findings` lists what is missing or damaged, and `raise_if_damaged()` makes an error of it. Raises
        OutputLockedError while a run is at work.
        """
        from crackpipe.pipeline.operate.verify import verify

        return verify(self.path)

    def __repr__(self) -> str:
        counts = self.record.get("counts")
        if counts is None:
            return f"<CrackMap {self.path}: no run has come to its end>"
        return (
            f"<CrackMap {self.path}: {counts['images_done']} images, {counts['images_quarantined']} in "
            f"quarantine, {counts['cracks']} cracks, {counts['length_m']:.1f} m>"
        )

    def _table(self, name: str) -> "geopandas.GeoDataFrame":
        import geopandas
        import pyarrow as pa

        file = self.path / f"{name}.parquet"
        if not file.is_file():
            raise UsageError(f"{file} is not there: {_REMEDIES[name].format(out=self.path)}.")
        try:
            return geopandas.read_parquet(file)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise OutputDamagedError(
                f"{file} cannot be read: {error}. `crackpipe verify --repair {self.path}` and the same "
                "command again make it anew."
            ) from error

    def _raster(self, image_id: str, name: str) -> "xarray.DataArray":
        from crackpipe.pipeline.door import masks

        output = output_at(self.path)
        masks.check_inspected(output.root, image_id)
        return masks.opened(output.masks_of(image_id), name)


def open(path: str | PathLike[str]) -> CrackMap:  # noqa: A001  read as crackpipe.open
    """Open the folder of a result, such as `survey_2025-cracks`. Nothing is read yet.

    Raises UsageError if `path` is no result of `crackpipe run`, ConfigurationError if a newer version made
    it.
    """
    return CrackMap(output_at(Path(path)).root)
