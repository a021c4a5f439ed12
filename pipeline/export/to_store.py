"""Export into object storage: made in the output, then uploaded while no run may change it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.export.write import export
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.state.output import output_at
from crackpipe.pipeline.storage.cloud.upload import target_of, upload
from crackpipe.pipeline.storage.faults import guarding


def export_to_store(output_root: Path, forms: Sequence[str], to: str) -> Iterator[str]:
    """Export the output of a run in some forms, and give the address of each file that was uploaded.

    Raises as `export`, UsageError for an address that cannot be written and for a catalogue, whose links
    would lead nowhere, ObjectStorageError, and ConfigurationError without the packages of the extra `cloud`.
    """
    target = target_of(to)
    if "stac" in forms:
        raise UsageError(
            f"--format stac cannot be uploaded to {target}: its links are relative and lead to masks and "
            f"tables in {output_root}, which would not be there. Export it without --to, then copy "
            f"{output_root} as a whole with the store's own program, such as `aws s3 sync`."
        )
    for form in forms:
        made = export(output_root, form)
        with lock.reading(output_at(output_root)), guarding(output_root):
            yield from upload(made, target)
