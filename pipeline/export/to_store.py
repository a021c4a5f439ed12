"""Export into object storage: made in the output, then uploaded while no run may change it."""

from collections.abc import Iterator
from pathlib import Path

from crackpipe.pipeline.export.write import export
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.state.output import output_at
from crackpipe.pipeline.storage.cloud.upload import target_of, upload
from crackpipe.pipeline.storage.faults import guarding


def export_to_store(output_root: Path, form: str, to: str) -> Iterator[str]:
    """Export the output of a run in one form, and give the address of each file that was uploaded.

    Raises as `export`, UsageError for an address that cannot be written, ObjectStorageError, and
    ConfigurationError without the packages of the extra `cloud`.
    """
    target = target_of(to)
    made = export(output_root, form)
    with lock.reading(output_at(output_root)), guarding(output_root):
        yield from upload(made, target)
