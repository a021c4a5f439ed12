"""Widths against widths measured by hand: grey profiles across cracks in concrete, of 0.05 to 0.85 mm.

    python benchmarks/width/width_measured.py FOLDER [--plot docs/images/width-measured.png]

FOLDER holds `profiles.csv` of the data of Benz and Rodehorst, "Model-based Crack Width Estimation using
Rectangle Transform", MVA 2021: per photo one profile of 31 to 33 grey values, its mm per pixel, and the width
that a person read from a crack comparator. Every profile is measured by the product's `fit_width` and by what
is usual: twice the distance transform of a mask at half depth, full width at half depth, missing light over
contrast. Each is done at the photo's own scale, and with the pixels made 2 or 3 times as large (the mean of
the samples at every phase, as a line's window holds pixels of every phase) wherever that makes a crack 0.3 to
1.5 px wide. Four times as large leaves 3.4 px on either side of the middle: less background than `fit_width`
asks for and than any window of the product has.

No measured width is used before errors are counted:

- blur: median over the site's cracks of 4 px and more of a fit with free contrast and free blur
- contrast: as the product does, the median share of the background over fits of 3 px and more with a free
  contrast; the integral is given the same. Spread 0.2, the product's default
- tone: everything is done twice, with grey values as stored (the product's default), and as light =
  grey^power. A camera's JPEG is neither linear nor plain sRGB, so the power is the one at which photos of one
  place from several distances agree: the width must not grow or shrink with the distance. The best usual
  method is the best of both.

`own spread` compares photos of one place with each other: the method's error without that of the hand.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.optimize import brentq, least_squares
from scipy.special import erf

from crackpipe.pipeline.width.fit.fit_width import fit_width

Floats = NDArray[np.float64]

POWERS = (1.0, 2.2)
WIDE_PX, SHARP_PX = 3.0, 4.0
ENOUGH = 5
DEFAULT_BLUR_PX, DEFAULT_SHARE, CONTRAST_SD = 0.7, 0.9, 0.2
SIDE_PX, CENTER_PX = 5.0, 6.0
RANGE_PX = (0.3, 1.5)
LEAST_SAMPLES = 8
BINS_PX = ((0.0, 0.75), (0.75, 1.5), (0.0, 1.5), (1.5, 3.0), (3.0, 6.0), (6.0, 99.0))
RESAMPLES = 2000
TONES = ("as stored", "as light")
USUAL = ("2 x EDT", "2 x EDT - 1", "FWHM", "integral")


@dataclass(frozen=True)
class Profile:
    """Samples across one crack, one pixel apart, dark crack near the middle."""

    site: str
    place: int
    width_mm: float
    """By hand."""
    mm_per_px: float
    grey: Floats
    """(K,) 0 to 255."""
    factor: int = 1
    """How many of the camera's pixels make one of `mm_per_px`."""
    step_px: float = 1.0
    """From sample to sample."""

    @property
    def width_px(self) -> float:
        return self.width_mm / self.mm_per_px

    @property
    def offset_px(self) -> Floats:
        return (np.arange(len(self.grey)) - (len(self.grey) - 1) / 2) * self.step_px

    def light(self, power: float) -> "Profile":
        """The same in linear light."""
        return Profile(**{**vars(self), "grey": 255.0 * (self.grey / 255.0) ** power})

    def averaged(self, factor: int) -> "Profile":
        """Pixels `factor` times as large, at every place: a line's window holds pixels of every phase."""
        grey = np.convolve(self.grey, np.full(factor, 1.0 / factor), mode="valid")
        return Profile(
            self.site, self.place, self.width_mm, self.mm_per_px * factor, grey, factor, 1.0 / factor
        )

    def phases(self) -> list["Profile"]:
        """The same, one pixel apart: one profile per phase of the pixels."""
        every = range(self.factor)
        return [Profile(**{**vars(self), "grey": self.grey[k :: self.factor], "step_px": 1.0}) for k in every]


@dataclass(frozen=True)
class Camera:
    """What is known about one site's photos."""

    blur_px: float
    share: float
    """Contrast of a fully dark crack over the grey value beside it."""
    share_sd: float


def read(folder: Path) -> list[Profile]:
    """All profiles that are not suspect; consecutive photos of one width and site are one place."""
    table = pd.read_csv(folder / "profiles.csv")
    new = (table.structure != table.structure.shift()) | (
        table.width_mm_measured != table.width_mm_measured.shift()
    )
    table["place"] = new.cumsum()
    sound = table[table.suspect == 0]
    print(f"{len(table)} profiles, {len(table) - len(sound)} suspect left out, {len(sound)} used")
    return [
        Profile(
            row["structure"],
            row["place"],
            row["width_mm_measured"],
            row["mm_per_px_mean"],
            np.array([row[f"i{k}"] for k in range(int(row["n_samples"]))], dtype=np.float64),
        )
        for _, row in sound.iterrows()
    ]


def at_half_depth(profile: Profile) -> tuple[float, float, int, int]:
    """Background, half level, first and last sample below it round the darkest sample near the middle."""
    grey, offset = profile.grey, profile.offset_px
    reach = min(SIDE_PX, offset[-1] / 2.5)
    background = float(np.median(grey[np.abs(offset) > offset[-1] - reach]))
    near = np.abs(offset) * profile.factor <= CENTER_PX
    first = last = int(np.argmin(np.where(near, grey, np.inf)))
    half = (background + grey[first]) / 2
    while first > 0 and grey[first - 1] < half:
        first -= 1
    while last < len(grey) - 1 and grey[last + 1] < half:
        last += 1
    return background, half, first, last


def distance_px(profile: Profile) -> float:
    """Twice the greatest distance transform of the mask at half depth."""
    _, _, first, last = at_half_depth(profile)
    return 2.0 * float(distance_transform_edt(np.pad(np.ones(last - first + 1), 1)).max())


def fwhm_px(profile: Profile) -> float:
    """Full width at half depth, interpolated."""
    _, half, first, last = at_half_depth(profile)
    grey, left, right = profile.grey, float(first), float(last)
    if first > 0:
        left -= (half - grey[first]) / (grey[first - 1] - grey[first])
    if last < len(grey) - 1:
        right += (half - grey[last]) / (grey[last + 1] - grey[last])
    return right - left


def core(profile: Profile, camera: Camera) -> tuple[float, float]:
    """Middle of the mask and the distance from it beyond which is background, as the product takes it."""
    _, _, first, last = at_half_depth(profile)
    middle = (profile.offset_px[first] + profile.offset_px[last]) / 2
    half = (last - first + 1) * profile.step_px / 2 + 3.0 * camera.blur_px / profile.factor + 0.5
    # short profiles must keep some background
    return float(middle), min(max(4.0, half), 0.6 * profile.offset_px[-1])


def integral_px(profile: Profile, camera: Camera) -> float:
    """Missing light over contrast, the background a straight line through both sides."""
    middle, reach = core(profile, camera)
    offset = profile.offset_px - middle
    side = (np.abs(offset) > reach) & (np.abs(offset) <= reach + SIDE_PX)
    left, right = side & (offset < 0), side & (offset > 0)
    if not (left.any() and right.any()):
        left = right = side
    level = [float(np.median(profile.grey[half])) for half in (left, right)]
    place = [float(np.median(offset[half])) for half in (left, right)]
    slope = (level[1] - level[0]) / (place[1] - place[0]) if place[1] > place[0] else 0.0
    background = level[0] + slope * (offset - place[0])
    dark = np.where(np.abs(offset) <= reach, background - profile.grey, 0.0)
    return float(dark.sum()) / (camera.share * float(np.mean(level)))


def fitted_px(profile: Profile, camera: Camera) -> float:
    """The product's fit under the site's contrast, which follows the light on the profile."""
    background, _, _, _ = at_half_depth(profile)
    offset, grey = within_reach(profile, camera)
    return fit_width(
        offset,
        grey,
        sigma_psf_px=camera.blur_px / profile.factor,
        contrast=camera.share * background,
        contrast_sd=camera.share_sd,
    ).width_px


def within_reach(profile: Profile, camera: Camera) -> tuple[Floats, Floats]:
    """The samples that the product would look at: the core and 5 px of background on each side."""
    middle, reach = core(profile, camera)
    inside = np.abs(profile.offset_px - middle) <= reach + SIDE_PX
    if inside.sum() < LEAST_SAMPLES:
        inside = np.ones(len(profile.grey), bool)
    return profile.offset_px[inside] - middle, profile.grey[inside]


def camera_of(profiles: list[Profile]) -> Camera:
    """Blur and contrast of one site from its wide cracks alone."""
    free = [free_fit(profile) for profile in profiles]
    blurs = [blur for width, blur in free if width >= SHARP_PX]
    total = float(np.median(blurs)) if len(blurs) >= ENOUGH else float(np.hypot(DEFAULT_BLUR_PX, 12**-0.5))
    blur_px = float(np.sqrt(max(total**2 - 1.0 / 12.0, 0.01)))
    rough = Camera(blur_px, DEFAULT_SHARE, CONTRAST_SD)
    shares = []
    for profile in profiles:
        fit = fit_width(*within_reach(profile, rough), sigma_psf_px=blur_px)
        if fit.width_px >= WIDE_PX:
            shares.append(fit.contrast / at_half_depth(profile)[0])
    if len(shares) < ENOUGH:
        return Camera(blur_px, DEFAULT_SHARE, float(np.hypot(CONTRAST_SD, 0.3)))
    error = 1.2533 * float(np.std(np.log(shares))) / np.sqrt(len(shares))
    return Camera(blur_px, float(np.median(shares)), float(np.hypot(CONTRAST_SD, error)))


def free_fit(profile: Profile) -> tuple[float, float]:
    """Width and whole blur, px, of the blurred box with everything free, robustly."""
    offset, grey = within_reach(profile, Camera(DEFAULT_BLUR_PX, 1.0, 0.0))
    background, half, _, _ = at_half_depth(profile)

    def model(theta: Floats) -> Floats:
        width, blur = np.exp(theta[0]), np.exp(theta[4])
        edges = [erf((offset - theta[1] + sign * width / 2) / (np.sqrt(2.0) * blur)) for sign in (1, -1)]
        return np.asarray(theta[2] - theta[3] / 2 * (edges[0] - edges[1]))

    start = [np.log(max(fwhm_px(profile), 1.0)), 0.0, background, 2 * (background - half), np.log(0.8)]
    found = least_squares(lambda theta: model(theta) - grey, start, loss="soft_l1", f_scale=4.0).x
    return float(np.exp(found[0])), float(np.exp(found[4]))


def cameras_of(profiles: list[Profile]) -> dict[str, Camera]:
    sites = sorted({profile.site for profile in profiles})
    return {site: camera_of([profile for profile in profiles if profile.site == site]) for site in sites}


def growth_with_distance(profiles: list[Profile], power: float) -> float:
    """Slope of ln width on ln mm per px within places: 0 where photos from all distances agree."""
    bright = [profile.light(power) for profile in profiles]
    cameras = cameras_of(bright)
    width = np.log([fitted_px(p, cameras[p.site]) * p.mm_per_px for p in bright])
    scale = np.log([p.mm_per_px for p in bright])
    place = np.array([p.place for p in bright])
    above = below = 0.0
    for one in np.unique(place):
        here = place == one
        away = scale[here] - scale[here].mean()
        above += float(away @ width[here])
        below += float(away @ away)
    return above / below


def power_of(profiles: list[Profile]) -> float:
    """The tone's power at which photos of one place agree, within what cameras do."""
    slopes = {power: growth_with_distance(profiles, power) for power in POWERS}
    print("growth of the width with distance:", {k: f"{v:+.3f}" for k, v in slopes.items()})
    low, high = POWERS
    if slopes[low] * slopes[high] > 0:
        return min(POWERS, key=lambda power: abs(slopes[power]))
    return float(brentq(lambda power: growth_with_distance(profiles, power), low, high, xtol=0.02))


def over_phases(method: Callable[[Profile], float], profile: Profile) -> float:
    """Mean of what a method that wants pixels finds at every phase."""
    return float(np.mean([method(part) for part in profile.phases()]))


Method = Callable[[Profile, Camera], float]
METHODS: dict[str, Method] = {
    "fit": fitted_px,
    "2 x EDT": lambda profile, _: over_phases(distance_px, profile),
    "2 x EDT - 1": lambda profile, _: over_phases(distance_px, profile) - 1.0,
    "FWHM": lambda profile, _: over_phases(fwhm_px, profile),
    "integral": lambda profile, camera: over_phases(lambda part: integral_px(part, camera), profile),
}


def measured(profiles: list[Profile], power: float) -> pd.DataFrame:
    """One row per profile and scale: site, place, width by hand, and each method's width, mm."""
    bright = [profile.light(power) for profile in profiles]
    cameras = cameras_of(bright)
    for site, camera in cameras.items():
        print(
            f"grey^{power:.2f}, {site}: blur {camera.blur_px:.2f} px, contrast {camera.share:.3f} background"
        )
    rows = []
    for profile in bright:
        for part in scaled(profile):
            found = {name: method(part, cameras[part.site]) for name, method in METHODS.items()}
            row = {"site": part.site, "place": part.place, "factor": part.factor, "width_mm": part.width_mm}
            row |= {"width_px": part.width_px, "mm_per_px": part.mm_per_px}
            rows.append(row | {name: value * part.mm_per_px for name, value in found.items()})
    return pd.DataFrame(rows)


def scaled(profile: Profile) -> list[Profile]:
    """The profile itself, and averaged down where that makes it 0.3 to 1.5 px wide."""
    parts = [
        profile.averaged(factor)
        for factor in (2, 3)
        if RANGE_PX[0] <= profile.width_px / factor <= RANGE_PX[1]
    ]
    return [profile, *parts]


def line(label: str, method: str, part: pd.DataFrame) -> str:
    error = part[method] - part.width_mm
    away = error.abs()
    cells = [f"{len(part)}", f"{error.mean():+.3f}", f"{error.median():+.3f}", f"{away.median():.3f}"]
    cells += [f"{away.quantile(0.9):.3f}", f"{own_spread(part, method):.3f}"]
    return f"| {label} | {method} | {' | '.join(cells)} |"


def own_spread(part: pd.DataFrame, method: str) -> float:
    """Median distance, mm, of a measurement from the median of its place, places of three and more."""
    by_place = part.groupby("place")[method]
    away = (part[method] - by_place.transform("median")).abs()
    return float(away[by_place.transform("size") >= 3].median())


def ratio(ours: pd.DataFrame, usual: pd.DataFrame, method: str, seed: int = 1) -> tuple[float, float, float]:
    """Median absolute error of the fit over that of a usual method, and its 95 % interval over places."""
    errors = np.abs(ours["fit"] - ours.width_mm).to_numpy(), np.abs(usual[method] - usual.width_mm).to_numpy()
    index = [np.flatnonzero(ours.place == place) for place in ours.place.unique()]
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([index[k] for k in rng.integers(0, len(index), len(index))])
        drawn.append(np.median(errors[0][rows]) / np.median(errors[1][rows]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(np.median(errors[0]) / np.median(errors[1])), float(low), float(high)


def report(ours: pd.DataFrame, every: list[pd.DataFrame]) -> None:
    """Table of one scale and tone, and the verdict against the best usual method of every tone."""
    print("\n| | method | N | bias mm | median error mm | median abs. mm | p90 mm | own spread mm |")
    print("|---|---|---|---|---|---|---|---|")
    groups = {"all": np.ones(len(ours), bool)}
    groups |= {site: (ours.site == site).to_numpy() for site in sorted(ours.site.unique())}
    for low, high in BINS_PX:
        groups[f"{low:g} to {high:g} px"] = ((ours.width_px >= low) & (ours.width_px < high)).to_numpy()
    groups = {label: chosen for label, chosen in groups.items() if chosen.sum() >= ENOUGH}
    for label, chosen in groups.items():
        for method in METHODS:
            print(line(label, method, ours[chosen]))
    print("\n| | best usual method | its median abs. mm | fit's | ratio | 95 % over places |")
    print("|---|---|---|---|---|---|")
    for label, chosen in groups.items():
        print(f"| {label} | {verdict(ours[chosen], [usual[chosen] for usual in every])} |")


def verdict(ours: pd.DataFrame, every: list[pd.DataFrame]) -> str:
    away = {
        (k, method): float((usual[method] - usual.width_mm).abs().median())
        for k, usual in enumerate(every)
        for method in USUAL
    }
    k, method = min(away, key=lambda key: away[key])
    share, low, high = ratio(ours, every[k], method)
    cells = [f"{method} ({TONES[k]})", f"{away[k, method]:.3f}", f"{away[k, method] * share:.3f}"]
    return " | ".join([*cells, f"{share:.2f}", f"{low:.2f} to {high:.2f}"])


def summary(every: list[pd.DataFrame]) -> None:
    """The tables of docs/use/width.md."""
    print("\n## In short, tone as stored\n")
    print("| | method | profiles | bias mm | median abs. mm | 90 % below mm | own spread mm |")
    print("|---|---|---|---|---|---|---|")
    for title, part in scales(every[0]):
        for method in METHODS:
            cells = line(title, method, part).split(" | ")
            print(" | ".join([*cells[:4], *cells[5:]]))
    print("\n| | cracks | best usual method | its median abs. mm | fit's | ratio | 95 % over places |")
    print("|---|---|---|---|---|---|---|")
    for k, (title, ours) in enumerate(scales(every[0])):
        for label, limit in (("all", 99.0), ("below 1.5 px", 1.5)):
            chosen = (ours.width_px < limit).to_numpy()
            if k == 0 or label == "all":
                usual = [scales(each)[k][1][chosen] for each in every]
                print(f"| {title} | {label} | {verdict(ours[chosen], usual)} |")


def floor(light: pd.DataFrame) -> None:
    """What the hand adds: cracks many pixels wide, where all methods must be right."""
    wide = light[(light.factor == 1) & (light.width_px >= 6.0)]
    if len(wide) < ENOUGH:
        return
    agree = (wide["fit"] - wide["FWHM"]).abs().median()
    away = (wide["fit"] - wide.width_mm).abs().median()
    places = (light["fit"] - light.width_mm)[light.factor == 1].groupby(light.place).median()
    print("\n## What the hand adds\n")
    print(
        f"{len(wide)} profiles of 6 px and more, where every method is right to a tenth of a pixel: fit and"
    )
    print(f"FWHM differ by {agree:.3f} mm (median) from each other, the fit by {away:.3f} mm from the hand.")
    print(f"{len(places)} places: the median over a place's photos is off by {places.abs().median():.3f} mm.")
    print("A comparator with steps of 0.05 mm adds 0.0125 mm (median) by rounding alone.")


def plot(file: Path, light: pd.DataFrame) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 4, figsize=(13, 7), sharex=True, sharey=True, layout="constrained")
    for row, (title, part) in zip(axes, scales(light), strict=True):
        for axis, method in zip(row, ("fit", "integral", "FWHM", "2 x EDT"), strict=True):
            axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
            for site, group in part.groupby("site"):
                axis.plot(group.width_mm, group[method], ".", alpha=0.35, label=site)
            axis.set(title=f"{method}, {title.split()[0]}", xlim=(0, 1), ylim=(0, 1.2), xlabel="by hand, mm")
        row[0].set_ylabel("measured, mm")
    axes[0][0].legend()
    figure.savefig(file, dpi=80)


def scales(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    small = (frame.factor > 1).to_numpy()
    return [("photos as they are", frame[~small]), ("averaged down to 0.3 to 1.5 px", frame[small])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--plot", type=Path, help="write a figure")
    options = parser.parse_args()
    profiles = read(options.folder)
    power = power_of(profiles)
    frames = [measured(profiles, one) for one in (1.0, power)]
    for tone, frame in zip(TONES, frames, strict=True):
        for k, (title, ours) in enumerate(scales(frame)):
            print(f"\n## {title}, {tone}" + (f", grey^{power:.2f}" if tone == TONES[1] else ""))
            report(ours, [scales(each)[k][1] for each in frames])
    floor(frames[0])
    summary(frames)
    if options.plot:
        plot(options.plot, frames[0])


if __name__ == "__main__":
    main()
