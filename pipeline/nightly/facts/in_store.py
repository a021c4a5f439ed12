"""Surveys of a source in object storage: what lies below each folder of its prefix."""

from pathlib import Path

from crackpipe.pipeline.errors import NoReadableImageError
from crackpipe.pipeline.nightly.facts.listing import RESULT_SUFFIX, Listing, Survey
from crackpipe.pipeline.nightly.facts.network import Source
from crackpipe.pipeline.storage import sealed
from crackpipe.pipeline.storage.cloud.address import address_of
from crackpipe.pipeline.storage.cloud.mirror import is_left_out
from crackpipe.pipeline.storage.cloud.stores import listing
from crackpipe.pipeline.survey.files import formats


def surveys_in_store(source: Source) -> list[Survey]:
    """The surveys that a source's prefix holds now, by name; results go to its `results`.

    Raises NoReadableImageError where it holds none or the bucket is not there, ObjectStorageError where the
    store does not answer, ConfigurationError without the packages of the extra `cloud`.
    """
    address = address_of(str(source.prefix))
    results = source.results
    assert results is not None  # `network.read` gives each prefix a place for results
    names = {entry.name.split("/")[0] for entry in listing(address) if "/" in entry.name}
    found = [
        Survey(source.name, name, Path(name), results / f"{name}{RESULT_SUFFIX}", f"{address}/{name}")
        for name in sorted(names)
        if name not in ("", "..") and not name.startswith(".") and not name.endswith((RESULT_SUFFIX, ".zarr"))
    ]
    if not found:
        raise NoReadableImageError(
            f"no survey in {source.place}: each folder below it is one. Check `prefix` in network.toml."
        )
    return found


def listing_in_store(address: str) -> Listing:
    """List a survey by name, size and ETag. Raises as `surveys_in_store`."""
    found = [entry for entry in listing(address_of(address)) if not is_left_out(entry.name)]
    return Listing(
        sealed.digest([[entry.name, entry.size_bytes, entry.etag] for entry in found]),
        sum(formats.is_image(Path(entry.name)) for entry in found),
        frozenset(entry.name for entry in found if "/" not in entry.name),
    )
