"""What lies between the road and the file: haze, vignetting, blur, noise, sharpening, colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from crackpipe.model.render.cameras.fields import F32, blur, cloud


@dataclass(frozen=True)
class Optics:
    """One camera on one day."""

    blur_px: float
    motion_px: int
    """Length of the smear along the direction of travel, odd: an even one would move the picture."""
    haze: float
    """Share of the light that is veil, 0..1."""
    veil: float
    """Grey value of that."""
    gain: float
    gamma: float
    vignette: float
    sharpen: float
    noise: float
    """Deviation of the noise at mid grey."""
    grey: bool
    cast: tuple[float, float, float]
    quality: int
    """Of the JPEG."""


def random_optics(rng: np.random.Generator, tone: float) -> Optics:
    """A camera that brings a road of this tone to some ordinary exposure."""
    warm, green = rng.normal(0, 0.05 if rng.random() < 0.4 else 0.02), rng.normal(0, 0.015)
    target = rng.uniform(75, 175)
    hard = rng.random() < 0.5
    return Optics(
        blur_px=float(rng.uniform(0.35, 0.9) if rng.random() < 0.75 else rng.uniform(0.9, 1.6)),
        motion_px=int(rng.choice([3, 5])) if rng.random() < 0.25 else 1,
        haze=float(rng.uniform(0.05, 0.45)) if rng.random() < 0.3 else 0.0,
        veil=float(rng.uniform(110, 200)),
        gain=float(np.clip(target / tone, 0.4, 2.2)),
        gamma=float(np.exp(rng.normal(0, 0.15))),
        vignette=float(rng.uniform(0, 0.35)) if rng.random() < 0.5 else 0.0,
        sharpen=float(rng.uniform(0.3, 1.2)) if rng.random() < 0.45 else 0.0,
        noise=float(np.exp(rng.uniform(np.log(0.7), np.log(6.0)))),
        grey=bool(rng.random() < 0.3),
        cast=(1 + warm, 1 + green, 1 - warm),
        quality=int(rng.integers(25, 61) if hard else rng.integers(61, 96)),
    )


def expose(optics: Optics, light: F32, falloff: F32) -> F32:
    """Grey values of one channel after lens, haze and tone curve, before noise: same shape, not clipped."""
    seen = blur(light, optics.blur_px)
    if optics.motion_px > 1:
        seen = np.asarray(uniform_filter1d(seen, optics.motion_px, axis=0), np.float32)
    if optics.sharpen:
        seen = seen + np.float32(optics.sharpen) * (seen - blur(seen, 1.1))
    seen = np.clip(seen * np.float32(optics.gain / 255), 0, 4) * falloff
    seen = np.float32(255) * np.minimum(seen, 1.02) ** np.float32(optics.gamma)
    return np.asarray(seen + np.float32(optics.haze) * (np.float32(optics.veil) - seen), np.float32)


def falloff_of(rng: np.random.Generator, optics: Optics, size: int) -> F32:
    """Light towards the corners and slow changes of it, as a factor (size, size)."""
    at = np.linspace(-1, 1, size, dtype=np.float32)
    tilt = rng.normal(0, 0.06, 2).astype(np.float32)
    slope = 1 + tilt[0] * at[:, None] + tilt[1] * at[None, :]
    return np.asarray(
        slope * (1 - np.float32(optics.vignette / 2) * (at[:, None] ** 2 + at[None, :] ** 2)), np.float32
    )


def develop(rng: np.random.Generator, optics: Optics, channels: list[F32]) -> NDArray[np.uint8]:
    """Exposed red, green and blue become a picture (size, size, 3) uint8, with noise and colour cast."""
    shape = channels[0].shape
    channels = channels * (3 // len(channels))
    if optics.grey:
        grey = np.float32(1 / 3) * (channels[0] + channels[1] + channels[2])
        grey = grey + _noise(rng, optics, grey)
        one = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
        return np.stack([one] * 3, axis=-1)
    common = _noise(rng, optics, channels[1])
    blotch = cloud(rng, shape, (70, 70)) * np.float32(rng.uniform(0, 0.012))
    out = []
    for k, channel in enumerate(channels):
        lean = (1, -0.3, -0.7)[k]
        seen = channel * (np.float32(optics.cast[k]) + np.float32(lean) * blotch)
        seen = seen + np.float32(0.8) * common + np.float32(0.5) * _noise(rng, optics, channel)
        out.append(np.clip(np.rint(seen), 0, 255).astype(np.uint8))
    return np.stack(out, axis=-1)


def _noise(rng: np.random.Generator, optics: Optics, seen: F32) -> F32:
    strength = np.float32(optics.noise) * np.sqrt(np.clip(seen, 10, 255) / np.float32(128))
    noise = rng.standard_normal(seen.shape, np.float32)
    if optics.noise > 2:  # denoising smears strong noise
        noise = blur(noise, 0.5) * np.float32(1.6)
    return np.asarray(strength * noise, np.float32)
