"""Rooms 4 and 5 for one image: masks become lines, and lines get widths.

    skeleton_part   blocks of masks -> sparse skeleton            (many per image)
    trace_part      all skeletons of the image -> lines           (one per image)
    measure_part    lines + grey values of blocks -> profiles     (many per image; only blocks with lines)
    pieces_of       profiles -> widths -> pieces of lines         (one per image, as it is finished)

Tasks hand on skeleton pixels, lines and mean profiles, which are a few MB for a kilometre of road. They never
hand on a raster. A part returns the rejection of its image as a value, so that it reaches `finish_image`
with every scheduler that may run the graph.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from crackpipe.pipeline.errors import ImageRejectedError, rejecting
from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.geometry.polyline import cut_line, length_of
from crackpipe.pipeline.image import SurveyImage
from crackpipe.pipeline.raster.reader import ImageReader
from crackpipe.pipeline.state import staging
from crackpipe.pipeline.storage import faults
from crackpipe.pipeline.tables import crack_rows, crack_type
from crackpipe.pipeline.tasks import stages
from crackpipe.pipeline.tasks.classes import numbered_on, other_than_crack, read_classes
from crackpipe.pipeline.tasks.job import Job, UnitFigures
from crackpipe.pipeline.tasks.picture import trace_options
from crackpipe.pipeline.trace.lines import Line, trace_lines
from crackpipe.pipeline.trace.skeleton import Skeleton, join, skeleton_halo_px, skeleton_of_block
from crackpipe.pipeline.width import profiles as width_profiles
from crackpipe.pipeline.width.blur import sigma_px
from crackpipe.pipeline.width.contrast import contrast_of_image
from crackpipe.pipeline.width.stretches import Limits, stretches_of
from crackpipe.pipeline.width.widths import widths_of
from crackpipe.pipeline.width.windows import Paths, Windows, paths_of, windows_of

# Networks that leave the image are kept from this length on. Anything shorter is no line.
_BIT_PX = 6.0
# A line that ends this near to the edge leaves the image.
_AT_EDGE_PX = 2.0

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Traced:
    """The lines of one image and the windows over which their widths are measured."""

    lines: tuple[Line, ...]
    """Lines of the classes that have widths, which are cracks."""
    plain_lines: tuple[Line, ...]
    """Lines of the classes without widths, such as joints.

    Networks and nodes are numbered on from `lines`.
    """
    area_px: int
    """Crack pixels in regions too wide to be lines."""
    paths: Paths
    windows: Windows


Skeletons = dict[int, Skeleton]
"""The skeleton of every class that has lines, by its value in the mask."""

Measured = tuple[NDArray[np.intp], width_profiles.Profiles]
"""Indices of windows, and their profiles."""


def skeleton_reach(job: Job, image: SurveyImage, block: Window) -> Window:
    """The part of an image with the masks on which the skeleton of a block depends."""
    halo_px = skeleton_halo_px(_cap_px(job, image))
    return block.padded(halo_px).clipped(image.height_px, image.width_px)


def _cap_px(job: Job, image: SurveyImage) -> float:
    return job.config.line_cap_mm / image.gsd_mm


def skeleton_part(
    job: Job, image: SurveyImage, blocks: Sequence[Window], units: Sequence[UnitFigures]
) -> list[Skeletons] | ImageRejectedError:
    """Room 4, first half: the skeletons of some blocks.

    `units` made the masks within their reach. Where one of them rejected the image, there may be no masks.
    """
    rejection = rejected_before(image, units)
    if rejection:
        return rejection
    return or_rejection(_skeletons, job, image, blocks)


def _skeletons(job: Job, image: SurveyImage, blocks: Sequence[Window]) -> list[Skeletons]:
    if staging.is_published(job.output, image.image_id):
        return []  # a worker published it and died before it could report; finish_image hands its marker on
    values = job.values_of("crack", "line")
    parts = []
    for block in blocks:
        outer = skeleton_reach(job, image, block)
        skeletons = [
            skeleton_of_block(mask, probability, outer, block, cap_px=_cap_px(job, image))
            for mask, probability in read_classes(job, image, values, outer)
        ]
        parts.append(dict(zip(values, skeletons, strict=True)))
    return parts


def trace_part(
    job: Job, image: SurveyImage, parts: Sequence[list[Skeletons] | ImageRejectedError]
) -> Traced | ImageRejectedError:
    """Room 4, second half: join the skeletons of the whole image and trace its lines."""
    rejection = first_rejection(parts)
    if rejection:
        return rejection
    skeletons = [skeleton for part in parts if isinstance(part, list) for skeleton in part]
    return or_rejection(_traced, job, image, skeletons)


def _traced(job: Job, image: SurveyImage, skeletons: list[Skeletons]) -> Traced:
    measured: list[Line] = []
    plain: list[Line] = []
    area_px = 0
    # Cracks come first, because networks and nodes of the other classes are numbered on from theirs.
    for value in job.values_of("crack") + job.values_of("line"):
        skeleton = join([part[value] for part in skeletons])
        lines = numbered_on(_lines_of_class(job, image, skeleton, value), [*measured, *plain], value)
        if job.kinds[value - 1] == "crack":
            measured += lines
            area_px += skeleton.area_px
        else:
            plain += lines
    paths = paths_of(
        [line.vertices for line in measured],
        [line.vertex_half_width_px for line in measured],
        _at_junction(measured),
        view=image.view,
    )
    windows = windows_of(paths, job.config.window_px)
    return Traced(tuple(measured), tuple(plain), area_px, paths, windows)


def _lines_of_class(job: Job, image: SurveyImage, skeleton: Skeleton, value: int) -> list[Line]:
    """The lines of one class that are long enough or leave the image."""
    min_length_px = job.config.min_length_mm / image.gsd_mm
    lines = trace_lines(
        skeleton,
        lambda window: next(read_classes(job, image, [value], window))[1],
        (image.height_px, image.width_px),
        trace_options(job.config, min(_BIT_PX, min_length_px)),
    )
    return long_or_leaving(lines, (image.height_px, image.width_px), min_length_px)


def long_or_leaving(lines: Sequence[Line], shape: tuple[int, int], min_length_px: float) -> list[Line]:
    """Lines of networks that are long enough, or that leave the image of `shape` (H, W).

    A network that leaves the image may go on in the next one. Only when the tables are made is it known
    whether the two are long enough together.
    """
    length_px: dict[int, float] = {}
    leaving: set[int] = set()
    for line in lines:
        length_px[line.network] = length_px.get(line.network, 0.0) + length_of(line.vertices)
        ends = line.vertices[[0, -1]]
        if (ends < _AT_EDGE_PX).any() or (ends > np.array(shape) - 1 - _AT_EDGE_PX).any():
            leaving.add(line.network)
    return [line for line in lines if length_px[line.network] >= min_length_px or line.network in leaving]


def _at_junction(lines: Sequence[Line]) -> list[tuple[bool, bool]]:
    """Whether other lines meet a line at its start and at its end. A closed line meets only itself."""
    ends = Counter(node for line in lines for node in (line.start_node, line.end_node))
    return [(ends[line.start_node] > 2, ends[line.end_node] > 2) for line in lines]


def measure_part(
    job: Job, image: SurveyImage, blocks: Sequence[Window], traced: Traced | ImageRejectedError
) -> list[Measured] | ImageRejectedError:
    """Room 5, first half: grey profiles across the lines whose windows lie in some blocks."""
    if isinstance(traced, ImageRejectedError):
        return traced
    return or_rejection(_profiles, job, image, blocks, traced)


def _profiles(job: Job, image: SurveyImage, blocks: Sequence[Window], traced: Traced) -> list[Measured]:
    config = job.config
    if not traced.lines:
        return []
    half_width_px = float(traced.windows.half_width_px.max())
    blur_px = float(sigma_px(config.sigma_psf_px, traced.windows.camera_px).max())
    margin_px = width_profiles.margin_px(config.window_px, half_width_px, blur_px)
    measured = []
    with ImageReader(image) as reader:
        for block in blocks:
            index = _windows_in(traced.windows, block)
            if len(index) == 0:
                continue
            # Read only the part of the block in which its windows lie.
            outer = _around(traced.windows.center[index], margin_px).clipped(image.height_px, image.width_px)
            rgb, valid = reader.read(outer)
            if len(job.classes) > 1:
                valid = valid & ~other_than_crack(job, image, outer)
            windows = traced.windows.part(index)
            profiles = width_profiles.measure(
                traced.paths, windows, rgb, valid, outer, sigma_psf_px=config.sigma_psf_px, tone=config.tone
            )
            measured.append((index, profiles))
    return measured


def _windows_in(windows: Windows, block: Window) -> NDArray[np.intp]:
    """Windows whose centre, rounded to its pixel, lies in the block.

    So each window is in exactly one block.
    """
    row, col = np.rint(windows.center).astype(np.int64).T
    inside = (row >= block.row) & (row < block.row_stop) & (col >= block.col) & (col < block.col_stop)
    return np.flatnonzero(inside)


def _around(points: NDArray[np.float64], margin_px: int) -> Window:
    low = np.floor(points.min(axis=0)).astype(int)
    high = np.ceil(points.max(axis=0)).astype(int) + 1
    return Window(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])).padded(margin_px)


def pieces_of(
    job: Job, image: SurveyImage, traced: Traced, measured: Sequence[Measured]
) -> list[crack_rows.Piece]:
    """Room 5, second half: all windows get widths, and lines are cut where the width class changes."""
    config = job.config
    profiles = width_profiles.Profiles.joined(list(measured), len(traced.windows.line))
    contrast = contrast_of_image(
        profiles,
        traced.windows.line,
        sigma_psf_px=config.sigma_psf_px,
        contrast_sd=config.contrast_sd,
        default=job.contrast,
        given=config.contrast,
    )
    widths = widths_of(profiles, contrast, sigma_psf_px=config.sigma_psf_px)
    limits = Limits(
        tiny_below_mm=config.tiny_below_mm,
        small_below_mm=config.small_below_mm,
        class_run_mm=config.class_run_mm,
        certain_from=config.certain_from,
        shape_sd=config.width_shape_sd,
    )
    stretches = stretches_of(traced.windows, widths, image.ground_matrix, limits)
    closing = crack_type.closing_cells([(line.start_node, line.end_node) for line in traced.lines])
    return [
        crack_rows.Piece(
            vertices=cut_line(line.vertices, stretch.arc_start_px, stretch.arc_stop_px),
            network=line.network,
            closes_cell=bool(closes),
            width=stretch.width,
            confidence=line.confidence,
            # It is not known where along the line the gaps were, so each piece gets a share by its length.
            bridged_px=line.bridged_px * (stretch.arc_stop_px - stretch.arc_start_px) / stretches_px,
            class_name=job.classes[line.mask_value - 1],
        )
        for line, of_line, closes in zip(traced.lines, stretches, closing, strict=True)
        for stretches_px in [of_line[-1].arc_stop_px]
        for stretch in of_line
    ]


def rejected_before(image: SurveyImage, units: Sequence[UnitFigures]) -> ImageRejectedError | None:
    """What was wrong with the image while its masks were made."""
    return next((unit.rejected[image.image_id] for unit in units if image.image_id in unit.rejected), None)


def first_rejection(values: Sequence[object]) -> ImageRejectedError | None:
    """The first of some results that is the rejection of its image; None if there is none."""
    return next((value for value in values if isinstance(value, ImageRejectedError)), None)


def or_rejection(
    function: Callable[Concatenate[Job, SurveyImage, _P], _T],
    job: Job,
    image: SurveyImage,
    *args: _P.args,
    **kwargs: _P.kwargs,
) -> _T | ImageRejectedError:
    """Call a function. If it rejects the image, the rejection is returned as a value."""
    try:
        with stages.stage("tracing"), faults.guarding(job.output.root), rejecting(image.image_id):
            return function(job, image, *args, **kwargs)
    except ImageRejectedError as error:
        return error
