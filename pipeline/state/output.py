"""The folders and files of an output, and the name of an image's own file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from crackpipe import __version__
from crackpipe.pipeline.console.printable import shown
from crackpipe.pipeline.errors import ConfigurationError, OutputNotWritableError, UsageError
from crackpipe.pipeline.storage.faults import guarding
from crackpipe.pipeline.storage.sealed import read_json, write_json

LAYOUT = {"layout": 1}


def file_key(image_id: str) -> str:
    """File name for an image: a hash, since image_ids may hold any character and be any length."""
    return hashlib.blake2b(image_id.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


@dataclass(frozen=True)
class Output:
    """The folder of a run's results and the paths inside it."""

    root: Path

    @property
    def hidden(self) -> Path:
        """Everything that is not for readers."""
        return self.root / ".crackpipe"

    @property
    def masks(self) -> Path:
        """The Zarr root."""
        return self.root / "masks.zarr"

    @property
    def logs(self) -> Path:
        """JSON lines, one file per run."""
        return self.root / "logs"

    @property
    def memory(self) -> Path:
        """What is known of the survey's files that did not change."""
        return self.hidden / "survey.json"

    @property
    def markers(self) -> Path:
        """The markers of all images, a file each."""
        return self.hidden / "markers"

    def masks_of(self, image_id: str) -> Path:
        """The published Zarr group of an image."""
        return self.masks / image_id

    def staging(self, image_id: str) -> Path:
        """The folder in which an image is made."""
        return self.hidden / "staging" / file_key(image_id)

    def in_staging(self) -> list[Path]:
        """What lies in the folder in which images are made, sorted; nothing before the first run made it.

        A survey in object storage is planned before that.
        """
        folder = self.hidden / "staging"
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def rows(self, image_id: str) -> Path:
        """The crack rows of a finished image."""
        return self.hidden / "cracks" / f"{file_key(image_id)}.parquet"

    def marker(self, image_id: str) -> Path:
        """The marker of an image."""
        return self.markers / f"{file_key(image_id)}.json"

    @property
    def version(self) -> Path:
        """What layout the folder has."""
        return self.hidden / "version.json"

    def refuse_newer(self) -> None:
        """Raise ConfigurationError if a newer version of crackpipe laid the folder out in another way."""
        found = read_json(self.version)
        layout = found.get("layout") if isinstance(found, dict) else None
        if isinstance(layout, int) and layout > LAYOUT["layout"]:
            raise ConfigurationError(
                f"{self.root} was made by a newer crackpipe: {self.version.name} says layout {layout}, and "
                f"crackpipe {__version__} knows layout {LAYOUT['layout']}. Take that newer version; to run "
                f"with this one, give another folder with --out."
            )

    def refuse_bytes(self) -> None:
        """Raise UsageError if the folder's path holds bytes that are not UTF-8: no table can be written
        there.
        """
        if any("\udc80" <= letter <= "\udcff" for letter in str(self.root)):
            raise UsageError(
                f"{shown(str(self.root))}: the path of the output holds bytes that are not UTF-8, which the "
                f"libraries of the tables cannot open. Rename the folder, or give another with --out."
            )

    def create(self) -> None:
        """Make the folders. Raises UsageError, OutputNotWritableError or StorageError."""
        self.refuse_bytes()
        with guarding(self.root):
            for folder in (
                self.logs,
                self.hidden / "staging",
                self.hidden / "cracks",
                self.hidden / "markers",
            ):
                folder.mkdir(parents=True, exist_ok=True)
            found = read_json(self.version)
            if found is None:
                write_json(self.version, LAYOUT)
            elif found != LAYOUT:
                raise OutputNotWritableError(
                    f"{self.version} says {found}, but this version of crackpipe writes {LAYOUT}. "
                    f"Give another folder with --out."
                )


def output_at(out: Path) -> Output:
    """The output folder of an earlier run.

    Raises UsageError if `out` is none, ConfigurationError if a newer version of crackpipe laid it out.
    """
    output = Output(out.absolute())
    if not output.hidden.is_dir():
        raise UsageError(f"{out} is no output of crackpipe run: it has no .crackpipe folder")
    output.refuse_bytes()
    output.refuse_newer()
    return output
