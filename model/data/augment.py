"""What may happen between a road and its photograph, drawn at random for training.

Flips, quarter turns, shift, scale and rotation, noise and colours as in the paper, and what roads need beside
them: blur, JPEG, gamma, hard shadow edges, grey cameras. Everything works on uint8 RGB (H, W, 3) with numpy
and Pillow, because a training process has one core: a crop of 448 px takes about 10 ms.
Frame: pixels are (row, col).
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from crackpipe.model.data.pairs import IGNORE

Rgb = NDArray[np.uint8]
Labels = NDArray[np.uint8]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, kw_only=True)
class Odds:
    """Probability with which each disturbance happens, 0..1."""

    turn: float = 0.3
    """Rotation by any angle up to 30 degrees, on top of the quarter turns."""
    tone: float = 0.8
    """Brightness, contrast, gamma and channel gains together."""
    grey: float = 0.2
    saturation: float = 0.3
    shadow: float = 0.2
    noise: float = 0.4
    blur: float = 0.2
    jpeg: float = 0.25
    paste: float = 0.0
    """A real crack of another photograph, on a tile that has none (`paste`)."""


def reflected_window(
    image: NDArray[np.uint8], top: int, left: int, height: int, width: int
) -> NDArray[np.uint8]:
    """Cut the window (height, width) at pixel (top, left) out of `image`, (H, W) or (H, W, 3).

    Beyond the edge the image is reflected, and so are labels: a survey fills the surroundings of an image in
    the same way.
    """
    bottom, right = top + height, left + width
    if top >= 0 and left >= 0 and bottom <= image.shape[0] and right <= image.shape[1]:
        return image[top:bottom, left:right]
    rows = _reflect(np.arange(top, bottom), image.shape[0])
    cols = _reflect(np.arange(left, right), image.shape[1])
    return image.take(rows, axis=0).take(cols, axis=1)


def _reflect(index: NDArray[np.int_], size: int) -> NDArray[np.int_]:
    """Fold indices, however far off, into 0..size-1 by reflection (numpy's `reflect`)."""
    if size == 1:
        return np.zeros_like(index)
    period = 2 * (size - 1)
    folded = np.abs(index) % period
    return np.where(folded >= size, period - folded, folded)


def resize_pair(
    image: Rgb, labels: Labels, height: int, width: int, *, keep_faint: bool = True
) -> tuple[Rgb, Labels]:
    """Resize both to (height, width) with antialiasing; `labels` are 0 sound, class indices or `IGNORE`.

    A pixel becomes a class if the class covers at least 0.4 of its footprint; at 0.5 hair cracks would fade
    when a photograph shrinks. Of two such classes the larger share wins, of equal shares the lower index.
    Where classes cover less, a pixel is sound, or with `keep_faint` off, for photographs that shrink much and
    whose cracks fade without vanishing, `IGNORE` from a share of 0.05 on.
    """
    if labels.shape == (height, width):
        return image, labels
    size = (width, height)
    small = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    moved = _move_labels(labels, lambda share: share.resize(size, Image.Resampling.BILINEAR), 102)
    if not keep_faint:
        classes = Image.fromarray(((labels > 0) & (labels != IGNORE)) * np.uint8(255))
        share = np.asarray(classes.resize(size, Image.Resampling.BILINEAR))
        moved = np.where((moved == 0) & (share >= 13), np.uint8(IGNORE), moved)
    return np.asarray(small), moved


def turn_pair(image: Rgb, labels: Labels, angle_deg: float) -> tuple[Rgb, Labels]:
    """Rotate both about their centre and keep their size. The corners are empty; the caller cuts them off"""
    turned = Image.fromarray(image).rotate(angle_deg, Image.Resampling.BICUBIC)
    moved = _move_labels(labels, lambda share: share.rotate(angle_deg, Image.Resampling.BILINEAR), 128)
    return np.asarray(turned), moved


def _move_labels(labels: Labels, move: Callable[[Image.Image], Image.Image], least: int) -> Labels:
    """Give `labels`, uint8 (H, W), to `move`, which resizes or turns images.

    Strategy: every class is moved as an image of its own, 255 where the class is and 0 elsewhere. Then each
    pixel holds the share, 0..255, that the class has of it. A pixel gets the class of the largest share if
    that is at least `least`, and `IGNORE` if it has any share of that.
    """

    def share_of(index: int) -> Labels:
        return np.asarray(move(Image.fromarray((labels == index) * np.uint8(255))))

    largest = share_of(1)
    moved = (largest >= least).astype(np.uint8)
    for index in np.unique(labels[labels > 1]).tolist():
        share = share_of(index)
        here = share > 0 if index == IGNORE else (share >= least) & (share > largest)
        moved[here], largest = index, np.maximum(share, largest)
    return moved


def turn_margin(angle_deg: float) -> float:
    """The factor by which a square must grow, so that after a turn by `angle_deg` it still covers itself."""
    angle = math.radians(abs(angle_deg))
    return math.cos(angle) + math.sin(angle)


def flip_pair(image: Rgb, labels: Labels, rng: np.random.Generator) -> tuple[Rgb, Labels]:
    """One of the eight symmetries of the square, each as likely."""
    quarter, mirror = int(rng.integers(4)), bool(rng.integers(2))
    image, labels = np.rot90(image, quarter), np.rot90(labels, quarter)
    if mirror:
        image, labels = image[:, ::-1], labels[:, ::-1]
    return np.ascontiguousarray(image), np.ascontiguousarray(labels)


def disturb(image: Rgb, rng: np.random.Generator, odds: Odds) -> Rgb:
    """Disturb a photograph by light, lens, sensor and file, in the order in which they act.

    Nothing moves, so its labels stay as they are.
    """
    if rng.random() < odds.shadow:
        image = _cast_shadow(image, rng)
    if rng.random() < odds.blur:
        radius_px = float(rng.uniform(0.4, 1.3))
        image = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius_px)))
    if rng.random() < odds.grey:
        image = _towards_grey(image, 1.0)
    elif rng.random() < odds.saturation:
        image = _towards_grey(image, float(rng.uniform(-0.4, 0.9)))
    if rng.random() < odds.tone:
        image = _change_tone(image, rng)
    if rng.random() < odds.noise:
        image = _add_noise(image, rng)
    if rng.random() < odds.jpeg:
        image = _through_jpeg(image, int(rng.integers(40, 92)))
    return image


def _change_tone(image: Rgb, rng: np.random.Generator) -> Rgb:
    """Contrast, brightness, gamma and white balance as one table of 256 values per channel."""
    # cameras differ more in contrast than in anything else, and cracks must be seen at any
    contrast, gamma = math.exp(rng.uniform(-0.7, 0.6)), math.exp(rng.uniform(-0.4, 0.4))
    brightness = rng.uniform(-35, 35)
    gain = 1 + rng.uniform(-0.06, 0.06, 3)
    mean = float(image[::8, ::8].mean())
    grey = 255 * (np.arange(256) / 255) ** gamma
    pivot = 255 * (mean / 255) ** gamma
    table = ((grey - pivot) * contrast + pivot + brightness)[:, None] * gain
    table8 = np.clip(table, 0, 255).astype(np.uint8)
    return np.stack([table8[:, channel][image[..., channel]] for channel in range(3)], axis=-1)


def _towards_grey(image: Rgb, amount: float) -> Rgb:
    """Mix with luma: 1 = grey, 0 = unchanged, below 0 = more colourful."""
    luma = (image @ _LUMA)[..., None]
    if amount == 1.0:
        return np.repeat(luma.astype(np.uint8), 3, axis=-1)
    mixed = image + amount * (luma - image)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def _cast_shadow(image: Rgb, rng: np.random.Generator) -> Rgb:
    """Darken one side of a straight or gently bent edge, or a band: the shadow of a tree, pole or vehicle."""
    height, width = image.shape[:2]
    angle = rng.uniform(0, 2 * math.pi)
    across_row, across_col = np.float32(math.sin(angle)), np.float32(math.cos(angle))
    rows = np.arange(height, dtype=np.float32)[:, None] - height * np.float32(rng.uniform(0.1, 0.9))
    cols = np.arange(width, dtype=np.float32)[None, :] - width * np.float32(rng.uniform(0.1, 0.9))
    bend_px, wave_px = np.float32(rng.uniform(0, 25)), np.float32(rng.uniform(60, 300))
    # px from the edge, positive in the shadow; the edge is bent by a wave along it
    distance = rows * across_row + cols * across_col
    distance = distance + bend_px * np.sin((rows * across_col - cols * across_row) / wave_px)
    softness_px = np.float32(rng.uniform(0.6, 6))
    if rng.random() < 0.4:  # a band around the edge
        distance = np.float32(rng.uniform(5, 90)) - np.abs(distance)
    inside = np.clip(distance / softness_px + 0.5, 0, 1)
    depth = np.float32(rng.uniform(0.25, 0.65))
    shaded: Rgb = (image * (1 - depth * inside)[..., None]).astype(np.uint8)
    return shaded


def _add_noise(image: Rgb, rng: np.random.Generator) -> Rgb:
    """Gaussian noise of up to 12 grey values, alike in all channels (one draw per pixel keeps it cheap)."""
    sigma = rng.uniform(1, 12)
    noise = rng.standard_normal(image.shape[:2], dtype=np.float32) * np.float32(sigma)
    return np.clip(image + noise[..., None], 0, 255).astype(np.uint8)


def _through_jpeg(image: Rgb, quality: int) -> Rgb:
    """Write and read as JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))
