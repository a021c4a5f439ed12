"""Export into object storage; the upload itself is in tests/story/object_storage."""

from pathlib import Path

import pytest

from crackpipe.pipeline.errors import UsageError
from crackpipe.pipeline.export.to_store import export_to_store


def test_a_catalogue_whose_links_would_lead_nowhere_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError, match=r"s3://bucket/results: its links are relative.*as a whole"):
        next(export_to_store(tmp_path, ("csv", "stac"), "s3://bucket/results"))
    assert not list(tmp_path.iterdir())
