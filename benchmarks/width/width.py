"""How wrong are widths, and does the uncertainty say so? Drawn slots over asphalt-like texture.

    python benchmarks/width/width.py [--quick] [--windows 1500] [--seed 1]
                                     [--plot docs/images/width-bench.png]

Windows of 50 px at random angles and sub-pixel places, through the whole of room 5: measure() and the fit of
all windows of a table as of one image. Unless a row says otherwise: texture of 10 grey values correlated over
1 px, noise 3, contrast 60, blur 0.7 px; widths of what is averaged are log-uniform over 0.3 to 12 px.

    bias, spread     mean and standard deviation of (found - true), px
    bound            least spread that any unbiased measurement of the pixels could have (Cramer-Rao), with
                     the noise's spectrum and, where it is known, the contrast given; the blur as known as to
                     the fit (25 %)
    stated           mean of the stated standard deviation
    1 sd, 2 sd       share of truths within one and two stated deviations
    flagged          share of windows whose cross-check failed

Fit and drawing share one model: this tells whether the measurement is sound, not whether cracks are slots.
"""

import argparse
import io
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.special import erf

from crackpipe.pipeline.geometry.grid import Window
from crackpipe.pipeline.width.contrast import Contrast
from crackpipe.pipeline.width.fit.fit_width import fit_widths
from crackpipe.pipeline.width.profiles import Profiles, measure
from crackpipe.pipeline.width.stretches import CLASSES, class_probabilities
from crackpipe.pipeline.width.widths import widths_of
from crackpipe.pipeline.width.windows import paths_of, windows_of

Floats = NDArray[np.float64]

WIDTHS_PX = (0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0)
JUDGED_PX = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
EDGES_PX = (0.3, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0, 8.0, 12.0)
CONTRAST = 60.0
BLUR_SD = 0.25  # how well the fit knows the blur: relative spread of its prior
LINE_PX, WINDOW_PX = 100, 50.0  # two windows: many lines, since the contrast of a line is one draw
SPEED_WINDOWS = 10_000


@dataclass(frozen=True)
class Scene:
    """What cracks are drawn on, how, and what the fit is told."""

    name: str = "ideal"
    contrast: float = CONTRAST
    contrast_sd: float = 0.2
    """Relative spread from line to line; the fit is told the mean and this."""
    blur_px: float = 0.7
    blur_told: float = 1.0
    """What the fit is told of the blur, as a share of it."""
    texture_sd: float = 10.0
    """Grey values, correlated over 1 px."""
    noise_sd: float = 3.0
    """Read and photon noise, grey values, independent from pixel to pixel."""
    meander_px: float = 0.0
    """Amplitude by which the crack winds round the line, with a wavelength of 12 px."""
    taper: float = 0.0
    """The width falls linearly along the line by this share of its mean."""
    filled: float = 0.0
    """Share of the line's length over which the darkening is halved, in stretches of 8 px."""
    jpeg: int | None = None


KNOWN = Scene("contrast known", contrast_sd=0.0)
SCENES = (
    Scene("contrast known", contrast_sd=0.0),
    Scene("contrast +- 20 %"),
    Scene("contrast 30", contrast=30.0),
    Scene("contrast 120", contrast=120.0),
    Scene("blur 0.5 px", blur_px=0.5),
    Scene("blur 1.0 px", blur_px=1.0),
    Scene("blur 1.5 px", blur_px=1.5),
    Scene("blur told 20 % too small", blur_told=0.8),
    Scene("blur told 20 % too large", blur_told=1.2),
    Scene("winding by 0.7 px over 12 px", meander_px=0.7),
    Scene("tapering from 1.5 w to 0.5 w", taper=1.0),
    Scene("half-filled", filled=0.5),
    Scene("JPEG 90", jpeg=90),
)


@dataclass(frozen=True)
class Found:
    """N windows measured."""

    truth: Floats
    width: Floats
    sigma: Floats
    flag: NDArray[np.bool_]

    def part(self, keep: NDArray[np.bool_]) -> "Found":
        return Found(self.truth[keep], self.width[keep], self.sigma[keep], self.flag[keep])

    @property
    def error(self) -> Floats:
        return self.width - self.truth

    def within(self, deviations: float) -> float:
        return float(np.mean(np.abs(self.error) <= deviations * self.sigma))

    def cells(self) -> list[str]:
        shares = [f"{self.within(k):.2f}" for k in (1, 2)]
        moments = [f"{self.error.mean():+.3f}", f"{self.error.std():.3f}", f"{self.sigma.mean():.3f}"]
        return [*moments, *shares, f"{self.flag.mean():.3f}"]


def drawn(rng: np.random.Generator, scene: Scene, width_px: float) -> tuple[NDArray[np.float32], Floats]:
    """An image with one crack at a random angle, and the line along it (2, 2) (row, col)."""
    angle = rng.uniform(0.0, np.pi / 2)
    tangent = np.array([np.sin(angle), np.cos(angle)])
    margin = 22.0 + width_px * (1 + scene.taper / 2) / 2
    start = margin + rng.uniform(0.0, 1.0, 2)
    height, width = (np.ceil(start + LINE_PX * tangent) + margin).astype(int)
    row, col = np.ogrid[:height, :width]
    across = (row - start[0]) * tangent[1] - (col - start[1]) * tangent[0]
    along = (row - start[0]) * tangent[0] + (col - start[1]) * tangent[1]
    near = np.abs(across) < margin - 14.0
    across, along = across[near], along[near]
    half = width_px / 2 * np.clip(1.0 - scene.taper * (along / LINE_PX - 0.5), 0.1, None)
    across = across - scene.meander_px * np.sin(2 * np.pi * (along / 12.0 + rng.uniform()))
    scale = 1.0 / (np.sqrt(2.0) * scene.blur_px)
    steps = (np.arange(4) - 1.5) / 4  # 4 x 4 points for the area of a pixel
    share = np.zeros(len(across))
    for step in (a * tangent[1] - b * tangent[0] for a in steps for b in steps):
        share += erf((across + step + half) * scale) - erf((across + step - half) * scale)
    share *= np.where((along / 8.0 + rng.uniform()) % 1.0 < scene.filled, 0.5, 1.0)
    texture = gaussian_filter(rng.standard_normal((height, width)), 1.0)
    image = (
        128.0 + texture * scene.texture_sd / texture.std() + rng.normal(0.0, scene.noise_sd, texture.shape)
    )
    image[near] -= scene.contrast * np.exp(scene.contrast_sd * rng.standard_normal()) * share / 32
    if scene.jpeg:
        file = io.BytesIO()
        Image.fromarray(np.clip(np.round(image), 0, 255).astype(np.uint8)).save(
            file, "JPEG", quality=scene.jpeg
        )
        image = np.asarray(Image.open(file))
    return image.astype(np.float32), start + np.array([[0.0], [LINE_PX]]) * tangent


def measured(rng: np.random.Generator, scene: Scene, widths_px: Floats) -> tuple[Profiles, Floats]:
    """Profiles and true widths of all windows, a line for each of `widths_px` (lines,)."""
    parts, truths, count = [], [], 0
    for width_px in widths_px:
        image, line = drawn(rng, scene, float(width_px))
        # a mask is about a pixel wider than the crack
        paths = paths_of([line], [max(1.5, width_px * (1 + scene.taper / 2) / 2 + 0.8)])
        windows = windows_of(paths, WINDOW_PX)
        outer, valid = Window(0, 0, *image.shape), np.ones(image.shape, bool)
        told = scene.blur_px * scene.blur_told
        parts.append(
            (
                np.arange(2) + count,
                measure(paths, windows, image, valid, outer, sigma_psf_px=told, tone="linear"),
            )
        )
        middle = (windows.arc_start_px + windows.arc_stop_px) / 2 / LINE_PX - 0.5
        truths.append(width_px * (1.0 - scene.taper * middle))
        count += 2
    return Profiles.joined(parts, count), np.concatenate(truths)


def found(rng: np.random.Generator, scene: Scene, widths_px: Floats) -> Found:
    """Windows drawn, measured and fitted as one image's."""
    profiles, truth = measured(rng, scene, widths_px)
    told = Contrast(scene.contrast, scene.contrast_sd, float("nan"), 0)
    result = widths_of(profiles, told, sigma_psf_px=scene.blur_px * scene.blur_told)
    return Found(truth, result.width_px, result.width_sigma_px, result.flag)


def found_by_plain_function(rng: np.random.Generator, scene: Scene, width_px: float, count: int) -> Found:
    """`fit_width` given nothing but all pixels of a window, each window on its own."""
    windows = []
    reach = max(4.0, width_px / 2 + 3 * scene.blur_px + 0.5) + 5.0
    for _ in range(count):
        image, line = drawn(rng, scene, width_px)
        tangent = (line[1] - line[0]) / LINE_PX
        row, col = np.mgrid[: image.shape[0], : image.shape[1]]
        across = (row - line[0, 0]) * tangent[1] - (col - line[0, 1]) * tangent[0]
        along = (row - line[0, 0]) * tangent[0] + (col - line[0, 1]) * tangent[1]
        keep = (np.abs(across) < reach) & (along >= 0) & (along < WINDOW_PX)
        windows.append((across[keep], image[keep]))
    samples = np.full((2, count, max(len(across) for across, _ in windows)), np.nan)
    for index, (across, grey) in enumerate(windows):
        samples[0, index, : len(across)], samples[1, index, : len(grey)] = across, grey
    fits = fit_widths(
        *samples, sigma_psf_px=scene.blur_px, contrast=scene.contrast, contrast_sd=scene.contrast_sd
    )
    truth = np.full(count, width_px)
    return Found(truth, fits.width_px, fits.width_sigma_px, np.zeros(count, bool))


def bound_px(scene: Scene, width_px: float) -> float:
    """Cramer-Rao bound of the spread of the width in one window, px, with the priors of the fit.

    The blur is not told: at 1 px a wider, sharper slot looks like a narrower, softer one.
    """
    step = 0.1
    s = np.arange(-width_px / 2 - 12.0, width_px / 2 + 12.0, step)
    sigma = np.sqrt(scene.blur_px**2 + 1 / 12)
    left, right = ((s + sign * width_px / 2) / sigma for sign in (1, -1))
    at_left, at_right = (np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) for z in (left, right))
    box = (erf(left / np.sqrt(2)) - erf(right / np.sqrt(2))) / 2
    shape = [
        (at_left + at_right) / (2 * sigma),  # w
        (at_left - at_right) / sigma,  # mu
        np.ones_like(s),  # B0
        s,  # B1
        box,  # ln C
        right * at_right - left * at_left,  # ln sigma
    ]
    jacobian = np.stack(shape, axis=1) * np.array([1, 1, 1 / scene.contrast, 1 / scene.contrast, 1, 1])
    texture = scene.texture_sd**2 * np.sqrt(4 * np.pi) * np.exp(-((s[:, None] - s) ** 2) / 4)
    covariance = (texture + np.eye(len(s)) * scene.noise_sd**2 / step) / (WINDOW_PX * scene.contrast**2)
    information = jacobian.T @ np.linalg.solve(covariance, jacobian)
    information[4, 4] += 1.0 / max(scene.contrast_sd, 1e-4) ** 2
    information[5, 5] += 1.0 / BLUR_SD**2
    return float(np.sqrt(np.linalg.inv(information)[0, 0]))


def log_uniform(rng: np.random.Generator, lines: int) -> Floats:
    return np.exp(rng.uniform(np.log(EDGES_PX[0]), np.log(EDGES_PX[-1]), lines))


def binned(result: Found) -> list[Found]:
    bins = np.digitize(result.truth, EDGES_PX[1:-1])
    return [result.part(bins == index) for index in range(len(EDGES_PX) - 1)]


def reliability(stated: Floats, happened: NDArray[np.bool_]) -> tuple[float, Floats, Floats]:
    """Expected calibration error over ten bins of probability, and per bin the stated and seen shares."""
    place = np.minimum((stated.ravel() * 10).astype(int), 9)
    count = np.bincount(place, minlength=10)
    said = np.bincount(place, stated.ravel(), 10) / np.maximum(count, 1)
    seen = np.bincount(place, happened.ravel(), 10) / np.maximum(count, 1)
    some = count > 0
    return float((count * np.abs(said - seen)).sum() / count.sum()), said[some], seen[some]


def classes(result: Found, gsd_mm: float) -> tuple[Floats, NDArray[np.int64]]:
    """Class probabilities (N, 3) and true classes (N,) at one GSD."""
    p = class_probabilities(
        result.width * gsd_mm, result.sigma * gsd_mm, tiny_below_mm=1.0, small_below_mm=3.0
    )
    return p, np.digitize(result.truth * gsd_mm, [1.0, 3.0])


def table(head: str, rows: list[list[str]]) -> None:
    print(f"| {head} |\n|{'---|' * len(head.split('|'))}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(flush=True)


def goal(text: str, value: float, passed: bool) -> None:
    print(f"{'pass' if passed else 'MISS'}  {text}: {value:.3f}", flush=True)


def by_width(rng: np.random.Generator, lines: int) -> dict[str, list[Found]]:
    """The first two tables and their goals."""
    all_found: dict[str, list[Found]] = {}
    plain = lambda scene, width: found_by_plain_function(rng, scene, width, lines)  # noqa: E731
    whole = lambda scene, width: found(rng, scene, np.full(lines, width))  # noqa: E731
    for label, scene, way, most in (
        ("contrast known", KNOWN, whole, 0.05),
        ("contrast +- 20 %", Scene(), whole, 0.10),
        ("fit_width alone, contrast known", KNOWN, plain, 0.05),
        ("fit_width alone, contrast +- 20 %", Scene(), plain, 0.10),
    ):
        results = [way(scene, width) for width in WIDTHS_PX]
        all_found[label] = results
        print(f"\n### {label}\n")
        rows = [
            [f"{width:.1f}", *one.cells()[:2], f"{bound_px(scene, width):.3f}", *one.cells()[2:]]
            for width, one in zip(WIDTHS_PX, results, strict=True)
        ]
        table("w px | bias | spread | bound | stated | 1 sd | 2 sd | flagged", rows)
        judged = [one for width, one in zip(WIDTHS_PX, results, strict=True) if width in JUDGED_PX]
        worst = max(abs(one.error.mean()) for one in judged)
        goal(f"largest bias <= {most:.2f} px", worst, worst <= most)
        if scene.contrast_sd == 0:
            spread = max(one.error.std() for one in results)
            goal("largest spread <= 0.12 px", spread, spread <= 0.12)
    return all_found


def by_scene(rng: np.random.Generator, lines: int) -> dict[str, Found]:
    """Everything else, widths log-uniform."""
    results = {scene.name: found(rng, scene, log_uniform(rng, lines)) for scene in SCENES}
    print("\n### Widths log-uniform over 0.3 to 12 px; contrast +- 20 % unless known\n")
    rows = []
    for name, result in results.items():
        median = f"{np.median(result.error):+.3f}"
        inside = [one.within(2) for one in binned(result) if len(one.truth) > 0]
        rows.append([name, median, *result.cells(), f"{min(inside):.2f} to {max(inside):.2f}"])
    table("scene | median error | bias | spread | stated | 1 sd | 2 sd | flagged | 2 sd by bin", rows)
    print("### The same by width: bias, spread, share within 2 sd\n")
    names = [f"{low:g} to {high:g}" for low, high in pairwise(EDGES_PX)]
    rows = [
        [name, *(f"{o.error.mean():+.2f} ± {o.error.std():.2f}, {o.within(2):.2f}" for o in binned(result))]
        for name, result in results.items()
    ]
    table(" | ".join(["scene", *names]), rows)
    for name in ("contrast known", "contrast +- 20 %"):
        over_all, inside = results[name].within(2), [one.within(2) for one in binned(results[name])]
        goal(f"{name}: truths within 2 sd, 0.90 to 0.98", over_all, 0.90 <= over_all <= 0.98)
        goal(f"{name}: lowest bin >= 0.85", min(inside), min(inside) >= 0.85)
    return results


def by_class(results: dict[str, Found]) -> None:
    """Confusion of classes and calibration of their probabilities at three GSDs."""
    for name in ("contrast known", "contrast +- 20 %"):
        for gsd_mm in (0.5, 1.0, 2.0):
            p, truth = classes(results[name], gsd_mm)
            said, sure = p.argmax(axis=1), p.max(axis=1) >= 0.8
            print(f"\n### Classes at {gsd_mm:g} mm per pixel, {name}\n")
            rows = []
            for k, of_class in enumerate(truth == k for k in range(3)):
                shares = [np.mean(said[of_class] == other) for other in range(3)]
                figures = [*shares, np.mean(sure[of_class]), np.mean(said[of_class & sure] == k)]
                rows.append([CLASSES[k], *(f"{figure:.3f}" for figure in figures)])
            table("true | said tiny | small | wide | certain | right where certain", rows)
            error, _, _ = reliability(p, truth[:, None] == np.arange(3))
            goal("reliability error <= 0.05", error, error <= 0.05)
            certain, _, _ = reliability(p.max(axis=1)[sure], (said == truth)[sure])
            goal("reliability error of certain classes <= 0.05", certain, certain <= 0.05)
            right = float(np.mean((said == truth)[sure]))
            goal(f"right where certain ({sure.mean():.0%} are) >= 0.95", right, right >= 0.95)


def speed(rng: np.random.Generator) -> None:
    """Windows per second of CPU time: the fit alone, and with measure() on an image with many lines."""
    side, count = 3000, 150
    image = rng.normal(128.0, 10.0, (side, side)).astype(np.float32)
    angle, start = rng.uniform(0.0, 2 * np.pi, count), rng.uniform(500.0, side - 500.0, (count, 2))
    ends = start + 450.0 * np.column_stack([np.sin(angle), np.cos(angle)])
    half_width = np.maximum(1.5, log_uniform(rng, count) / 2 + 0.8)
    paths = paths_of(list(np.stack([start, ends], axis=1)), list(half_width))
    windows, valid = windows_of(paths, WINDOW_PX), np.ones(image.shape, bool)
    started = time.process_time()
    measure(paths, windows, image, valid, Window(0, 0, side, side), sigma_psf_px=0.7, tone="linear")
    measuring = (time.process_time() - started) / len(windows.line)
    profiles, _ = measured(rng, Scene(), log_uniform(rng, 60))
    repeated = [(np.arange(120) + 120 * k, profiles) for k in range(SPEED_WINDOWS // 120)]
    profiles = Profiles.joined(repeated, 120 * len(repeated))
    told = Contrast(CONTRAST, 0.2, float("nan"), 0)
    widths_of(profiles, told, sigma_psf_px=0.7)
    started = time.process_time()
    widths_of(profiles, told, sigma_psf_px=0.7)
    fit = (time.process_time() - started) / len(profiles.bin_px)
    print("\n### Speed, windows of 50 px per second of CPU time\n")
    goal("fit >= 20000", 1 / fit, 1 / fit >= 20_000)
    print(f"      measure() alone {1 / measuring:.0f}, both {1 / (fit + measuring):.0f}")


def plot(path: Path, widths: dict[str, list[Found]], scenes: dict[str, Found]) -> None:
    """Bias and spread by width, coverage by width, and calibration."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.6), constrained_layout=True)
    for label, scene, colour in (
        ("contrast known", KNOWN, "C0"),
        ("contrast +- 20 %", Scene(), "C1"),
    ):
        bias, spread = ([f(one.error) for one in widths[label]] for f in (np.mean, np.std))
        left.errorbar(WIDTHS_PX, bias, spread, fmt="o", ms=3, capsize=2, color=colour, label=label)
        fine = np.geomspace(WIDTHS_PX[0], WIDTHS_PX[-1], 40)
        bound = np.array([bound_px(scene, width) for width in fine])
        left.fill_between(fine, -bound, bound, color=colour, alpha=0.15, lw=0)
        centres = [float(np.sqrt(a * b)) for a, b in pairwise(EDGES_PX)]
        inside = [one.within(2) for one in binned(scenes[label])]
        middle.plot(centres, inside, "o-", ms=3, color=colour, label=label)
        p, truth = classes(scenes[label], 1.0)
        error, said, seen = reliability(p, truth[:, None] == np.arange(3))
        right.plot(said, seen, "o-", ms=3, color=colour, label=f"{label}, error {error:.3f}")
    left.set(
        xscale="log", xlabel="width, px", ylabel="found - true, px", title="Bias and spread; shaded: bound"
    )
    middle.axhspan(0.85, 1.0, color="0.9")
    middle.axhline(0.954, color="0.5", lw=0.8)
    middle.set(xscale="log", ylim=(0.6, 1.02), xlabel="width, px", title="Share of truths within 2 sd")
    right.plot([0, 1], [0, 1], color="0.5", lw=0.8)
    right.set(xlabel="probability stated", ylabel="share seen", title="Class probabilities at 1 mm per px")
    for axes in (left, middle, right):
        axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--windows", type=int, default=1500, help="windows per width and per scene")
    parser.add_argument("--quick", action="store_true", help="200 windows: about a minute")
    parser.add_argument("--plot", type=Path, help="PNG to write")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    rng, lines = np.random.default_rng(options.seed), (200 if options.quick else options.windows) // 2
    widths = by_width(rng, lines)
    scenes = by_scene(rng, 2 * lines)
    by_class(scenes)
    speed(rng)
    if options.plot:
        plot(options.plot, widths, scenes)


if __name__ == "__main__":
    main()
