"""What `verify` found, and how it says it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from crackpipe.pipeline.errors import OutputDamagedError


@dataclass(frozen=True)
class Finding:
    """One file that is not what was written."""

    path: str
    """Relative to the output folder."""
    what: str
    """`missing`, `damaged`, `unexpected`, or what a reader says."""
    image_id: str | None = None
    """The image to be done again; None where no image is concerned, or nobody knows which."""


@dataclass
class Verification:
    """What was looked at and found."""

    root: Path
    images: int = 0
    files: int = 0
    chunks: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is unfinished, which is no damage."""
    is_let_go: bool = False
    """Whether the next run does again what is damaged."""

    def raise_if_damaged(self) -> None:
        """Raises OutputDamagedError."""
        if self.findings:
            remedy = f"`crackpipe verify --repair {self.root}` lets the next run do what is concerned again."
            if self.is_let_go:
                remedy = f"`crackpipe run SURVEY --out {self.root}` does what is concerned again."
            said = f"{len(self.findings)} files of {self.root} are missing or damaged. {remedy}"
            raise OutputDamagedError(said)


def lines(found: Verification) -> Iterator[str]:
    """What the command prints."""
    for finding in found.findings:
        yield f"{finding.path}: {finding.what}"
    yield from found.notes
    yield (
        f"{found.images} images, {found.files} files, {found.chunks} chunks: "
        f"{len(found.findings) or 'none'} missing or damaged"
    )
