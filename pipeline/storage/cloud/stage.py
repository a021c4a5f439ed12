"""Images from object storage on this machine's disk: whole before they are worked on, never too many.

While a run is planned, rooms read the heads of hollow files through this door. Then images come in waves, in
the order of the survey: while workers are at one wave, threads bring the next. An image begins to come when
there is room for all of it, and its room is free again when it is finished. Workers get paths of whole files.

No wave takes more than half of the room, or one image, so the wave that workers are at never waits for
the one behind it.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from crackpipe.pipeline.errors import ImageRejectedError, UsageError
from crackpipe.pipeline.image import Rejected, SurveyImage
from crackpipe.pipeline.storage import faults
from crackpipe.pipeline.storage.cloud.answers import patiently
from crackpipe.pipeline.storage.cloud.fill import Filling, FillingFile
from crackpipe.pipeline.storage.cloud.mirror import Mirror, is_whole
from crackpipe.pipeline.storage.cloud.stores import Store

_CONNECTIONS = 4
_HEADS_SHARE = 8  # heads take at most the eighth part of the room
_FIRST_SHARE, _WAVE_SHARE = 16, 2  # the first wave is small, so that workers begin soon


@dataclass(frozen=True)
class Wave:
    """Images whose files are whole, and those that could not be brought."""

    images: list[SurveyImage]
    failed: list[tuple[SurveyImage, ImageRejectedError]] = field(default_factory=list)


class _StoppedError(Exception):
    """The run ends."""


class Stage:
    """The disk space for the images of a run. All of its methods may be called by several threads."""

    def __init__(self, mirrors: Sequence[tuple[Mirror, Store]], room_bytes: int) -> None:
        self.room_bytes = room_bytes
        self.refused: list[Rejected] = [each for made, _ in mirrors for each in made.refused]
        self._fillings = {
            path: Filling(path, entry, store, self._patiently)
            for made, store in mirrors
            for path, entry in made.entries.items()
        }
        self._failures: dict[Path, Exception] = {}
        self._heads: dict[Path, int] = {}
        """Bytes on the disk of files of which not all blocks shall be here yet, the oldest file first."""
        self._heads_bytes = 0
        self._taken: dict[Path, int] = {}
        """By file that is whole or comes: its size."""
        self._change = threading.Condition()
        self._stopped = threading.Event()

    # ---- the door

    def etag_of(self, path: Path) -> str | None:
        """The ETag of the object behind a path; None where the path is not of this stage."""
        filling = self._fillings.get(path)
        return None if filling is None else filling.entry.etag

    def opened(self, path: Path) -> BinaryIO:
        """Open a file that may be hollow. GDAL keeps silent about errors, so they are noted too."""
        filling = self._fillings[path]
        if is_whole(path, filling.entry.size_bytes):
            return path.open("rb")

        def read(start: int, size: int) -> bytes:
            try:
                with faults.guarding(path):  # a full disk ends the run: no image is to blame for it
                    content = filling.read(start, size)
                    self._note_head(path)
            except Exception as error:  # of any kind: it is kept for the planner, and goes on as it came
                self._failures[path] = error
                raise
            return content

        return cast("BinaryIO", FillingFile(read, filling.entry.size_bytes))

    def _note_head(self, path: Path) -> None:
        with self._change:
            if path in self._taken:
                return
            held = self._fillings[path].held_bytes
            self._heads_bytes += held - self._heads.get(path, 0)
            self._heads[path] = held
        self._drop_heads(self.room_bytes // _HEADS_SHARE)

    def _drop_heads(self, most_bytes: int) -> None:
        """Give back the oldest heads until all together take no more than this."""
        with self._change:
            while self._heads_bytes > most_bytes and self._heads:
                path = next(iter(self._heads))
                self._forget_head(path)
                self._fillings[path].empty()

    def _forget_head(self, path: Path) -> None:
        self._heads_bytes -= self._heads.pop(path, 0)

    # ---- planning

    def corrected(
        self, images: Sequence[SurveyImage], rejected: Sequence[Rejected]
    ) -> tuple[tuple[SurveyImage, ...], tuple[Rejected, ...]]:
        """What a survey holds, with the true reason where bytes could not be brought.

        Raises what keeps the whole run from going on, such as ObjectStorageError or StorageError.
        """
        for error in self._failures.values():
            if not isinstance(error, ImageRejectedError):
                raise error
        kept, set_aside = list[SurveyImage](), list(rejected)
        for image in images:
            failure = self._failure_of(image.path)
            if failure is None:
                kept.append(image)
            else:
                set_aside.append(Rejected.of(image, failure.reason, failure.message, failure.remedy))
        return tuple(kept), tuple(self._with_reason(each) for each in set_aside)

    def _with_reason(self, each: Rejected) -> Rejected:
        error = self._failure_of(each.path)
        if error is None:
            return each
        return Rejected(each.image_id, each.survey, each.path, error.reason, error.message, error.remedy)

    def _failure_of(self, path: Path) -> ImageRejectedError | None:
        return cast("ImageRejectedError | None", self._failures.get(path))

    def check_sizes(self, images: Sequence[SurveyImage]) -> None:
        """Refuse a run with an image that has no room. Raises UsageError."""
        if not images:
            return
        largest = max(images, key=self._bytes_of)
        size = self._bytes_of(largest)
        if size > self.room_bytes:
            raise UsageError(
                f"{largest.image_id} has {_gb(size)} GB, but at most {_gb(self.room_bytes)} GB of this "
                f"machine's disk are used for staging. Give it more: --staging-gb {size / 1e9 + 0.1:.1f}, or "
                "leave the image out with --exclude."
            )

    # ---- working

    def waves(self, images: Sequence[SurveyImage]) -> Iterator[Wave]:
        """Bring images wave by wave, the next while the caller works. Call `done` for each image."""
        whole = [image for image in images if self._is_here(image)]
        here = {image.image_id for image in whole}
        # what an earlier run brought goes first, or it would keep others from their room
        order = [*whole, *(image for image in images if image.image_id not in here)]
        with ThreadPoolExecutor(1) as ahead, ThreadPoolExecutor(_CONNECTIONS) as threads:
            try:
                coming: deque[Future[Wave]] = deque(
                    ahead.submit(self._bring_all, portion, threads) for portion in self._portions(order)
                )
                while coming:
                    yield coming.popleft().result()
            finally:
                self._stopped.set()
                with self._change:
                    self._change.notify_all()

    def _portions(self, images: Sequence[SurveyImage]) -> Iterator[list[SurveyImage]]:
        most, portion, size = self.room_bytes // _FIRST_SHARE, list[SurveyImage](), 0
        for image in images:
            if portion and size + self._bytes_of(image) > most:
                yield portion
                portion, size = [], 0
                most = min(2 * most, self.room_bytes // _WAVE_SHARE)
            portion.append(image)
            size += self._bytes_of(image)
        if portion:
            yield portion

    def _bring_all(self, images: Sequence[SurveyImage], threads: ThreadPoolExecutor) -> Wave:
        brought: list[tuple[SurveyImage, Future[None]]] = []
        for image in images:
            self._take_room(image)
            brought.append((image, threads.submit(self._bring, image)))
        wave = Wave([])
        for image, ended in brought:
            try:
                ended.result()
                wave.images.append(image)
            except ImageRejectedError as error:
                wave.failed.append((image, error))
        return wave

    def _bring(self, image: SurveyImage) -> None:
        for path in self._files_of(image):
            if not is_whole(path, self._fillings[path].entry.size_bytes):
                with faults.guarding(path):
                    self._fillings[path].complete()

    def _take_room(self, image: SurveyImage) -> None:
        """Wait until there is room for all of an image."""
        with self._change:
            while sum(self._taken.values()) + self._bytes_of(image) > self.room_bytes:
                self._change.wait(1.0)
                self._raise_if_stopped()
            self._raise_if_stopped()
            for path in self._files_of(image):
                self._taken[path] = self._fillings[path].entry.size_bytes
                self._forget_head(path)
            left = self.room_bytes - sum(self._taken.values())
        self._drop_heads(left)

    def done(self, image: SurveyImage) -> None:
        """The image is finished or set aside: its room is free. Raises OSError."""
        for path in self._files_of(image):
            self._fillings[path].empty()
        with self._change:
            for path in self._files_of(image):
                self._taken.pop(path, None)
            self._change.notify_all()

    def clear_but(self, images: Sequence[SurveyImage]) -> None:
        """Give back what other images hold. Raises OSError."""
        keep = {path for image in images for path in self._files_of(image)}
        for path, filling in self._fillings.items():
            if path not in keep and (filling.held_bytes or is_whole(path, filling.entry.size_bytes)):
                filling.empty()
        with self._change:
            for path in [path for path in self._heads if path not in keep]:
                self._forget_head(path)
        room = self.room_bytes // _WAVE_SHARE
        for image in images:  # of another run, which may have had more room
            if self._is_here(image):
                room -= self._bytes_of(image)
                if room < 0:
                    self.done(image)

    def _is_here(self, image: SurveyImage) -> bool:
        return all(is_whole(path, self._fillings[path].entry.size_bytes) for path in self._files_of(image))

    def _files_of(self, image: SurveyImage) -> list[Path]:
        """The image and the mask beside it; none where it lies on this machine."""
        files = [image.path] if image.mask is None else [image.path, image.mask.path]
        return [path for path in files if path in self._fillings]

    def _bytes_of(self, image: SurveyImage) -> int:
        return sum(self._fillings[path].entry.size_bytes for path in self._files_of(image))

    # ---- patience

    def _patiently(self, attempt: Callable[[], bytes], what: str) -> bytes:
        return patiently(attempt, what, self._pause)

    def _pause(self, seconds: float) -> None:
        self._stopped.wait(seconds)
        self._raise_if_stopped()

    def _raise_if_stopped(self) -> None:
        if self._stopped.is_set():
            raise _StoppedError


def _gb(size: int) -> str:
    return f"{size / 1e9:.3g}"
