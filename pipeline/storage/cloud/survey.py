"""A run's surveys in object storage: listed, mirrored, and staged while the run lasts."""

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import NoReadableImageError, OutputLockedError, StorageError
from crackpipe.pipeline.storage import faults, reading, sealed
from crackpipe.pipeline.storage.cloud import manifest
from crackpipe.pipeline.storage.cloud.address import Address, address_of, is_address
from crackpipe.pipeline.storage.cloud.mirror import mirror, remove
from crackpipe.pipeline.storage.cloud.stage import Stage
from crackpipe.pipeline.storage.cloud.stores import Entry, Store, store_at
from crackpipe.pipeline.survey.files import formats


def is_remote(source: str) -> bool:
    """Whether a SURVEY lies in object storage: an address, or a text file of addresses."""
    return is_address(source) or manifest.is_manifest_of_addresses(Path(source))


def shown(source: str) -> str:
    """A SURVEY in object storage without secrets, for people and records. Raises UsageError."""
    return str(address_of(source)) if is_address(source) else str(Path(source).absolute())


def folder_of(source: str, below: Path) -> Path:
    """Where the mirror of a SURVEY lies: a folder with the name that the survey has on disk too."""
    name = Path(source).stem
    if is_address(source):
        address = address_of(source)
        name = address.name.removesuffix(".txt") if address.scheme.startswith("http") else address.name
        if formats.is_image(Path(name)):
            name = address.key.rpartition("/")[0].rpartition("/")[2] or address.host
    return below / sealed.digest(shown(source)) / (name if name not in ("", ".", "..") else "survey")


@contextmanager
def staged(sources: Mapping[Path, str], below: Path, room_gb: float) -> Iterator[Stage | None]:
    """Mirror surveys in folders below `below`, and open the door to them; None where there are none.

    `sources` holds by `folder_of` each SURVEY as it was given. What is whole stays where the run did not
    end well, so that the next one does not bring it again. Raises NoReadableImageError where nothing is
    listed, OutputLockedError, ConfigurationError without the packages, ObjectStorageError, StorageError.
    """
    if not sources:
        yield None
        return
    stores = {folder: _store(source) for folder, source in sources.items()}
    listed = {folder: _listed(store, sources[folder]) for folder, store in stores.items()}
    with faults.guarding(below):
        below.mkdir(parents=True, exist_ok=True)
    with (below / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputLockedError(
                f"another run stages images in {below}. Wait until it has ended."
            ) from None
        except OSError as error:
            log.warning(
                f"{below} is on a file system without locks ({error.strerror}): start one run at a time"
            )
        with faults.guarding(below):
            mirrors = [(mirror(listed[folder], folder), stores[folder]) for folder in sources]
        stage = Stage(mirrors, int(room_gb * 1e9))
        with reading.through(stage):
            yield stage
    with faults.guarding(below):
        remove(below)


def _store(source: str) -> Store:
    if not is_address(source):
        return manifest.https_store(manifest.read_local(Path(source)))
    address = address_of(source)
    if address.scheme.startswith("http"):
        return manifest.https_store(manifest.fetch(address))
    return store_at(_prefix_of(address))


def _prefix_of(address: Address) -> Address:
    """The folder of an address that names one image."""
    if not formats.is_image(Path(address.name)):
        return address
    return Address(address.scheme, address.host, address.key.rpartition("/")[0])


def _listed(store: Store, source: str) -> list[Entry]:
    found = list(store.entries())
    if is_address(source) and formats.is_image(Path(address_of(source).name)):
        found = [entry for entry in found if _belongs(entry.name, address_of(source).name)]
    if not found:
        raise NoReadableImageError(f"no object in {shown(source)}. Check bucket and prefix.")
    size_gb = sum(entry.size_bytes for entry in found) / 1e9
    log.info(f"{shown(source)}: {len(found)} objects, {size_gb:.3g} GB")
    return found


def _belongs(name: str, image: str) -> bool:
    """Whether an object is the one image of a survey, or a file beside it that may have a say."""
    is_other_image = formats.is_image(Path(name)) and name != image
    return not is_other_image and (name == "survey.toml" or name.startswith(f"{Path(image).stem}."))


def check_disk(stage: Stage, below: Path, needed_bytes: int) -> None:
    """Refuse a run whose staging has no space on the disk. Raises StorageError."""
    most = min(stage.room_bytes, needed_bytes)
    free = shutil.disk_usage(below).free
    if free < most:
        raise StorageError(
            f"staging needs up to {most / 1e9:.3g} GB in {below}, but {free / 1e9:.3g} GB are free. Free "
            "some space, or give less with --staging-gb."
        )
