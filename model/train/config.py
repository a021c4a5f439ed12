"""All that decides a training, in one flat table of values."""

import math
from dataclasses import dataclass
from pathlib import Path

from crackpipe.model.evaluate.thresholds import THRESHOLDS_BY
from crackpipe.model.networks.context_cracknet import (
    ContextCrackNet,
    ContextCrackNetLite,
    ContextCrackNetLite1,
)
from crackpipe.model.train.losses import LOSSES

Network = ContextCrackNet | ContextCrackNetLite

ARCHITECTURES: dict[str, type[Network]] = {
    "lite": ContextCrackNetLite,
    "lite1": ContextCrackNetLite1,
    "full": ContextCrackNet,
}

SCHEDULES = ("cosine", "plateau")
AUGMENTATIONS = ("road", "published")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """All that decides a training."""

    data: tuple[Path, ...]
    """Folders of sets, `DIR/NAME/images` and `DIR/NAME/masks`."""
    out: Path
    """Weights file to be written, .safetensors; checkpoint and logs go to a folder of its name beside it."""
    rendered: tuple[Path, ...] = ()
    """Folders of rendered sets."""
    rendered_share: float | None = None
    """Share of tiles from rendered sets, 0..1; None: by `data.tiles.SAMPLING_WEIGHT`, like any set."""
    tiles: int | None = None
    """Length of the schedule in tiles. Exactly one of `tiles`, `minutes` and `epochs` is given."""
    minutes: float | None = None
    """Length of the schedule in minutes of training time."""
    epochs: float | None = None
    """Length of the schedule in epochs of as many tiles as there are training photographs."""
    classes: tuple[str, ...] = ("crack",)
    """What the network tells apart: crack or not, or several classes, 1, 2, ... in this order."""
    kinds: tuple[str, ...] = ("crack",)
    """Of each class `crack`, `line` or `area` (`weights.kinds`)."""
    architecture: str = "lite"
    processes: int = 2
    """One a CPU core, or one a GPU; under torchrun its WORLD_SIZE is taken instead."""
    device: str = "cpu"
    batch: int = 4
    """Tiles per process and step."""
    loader_workers: int = 0
    """Processes per training process that prepare tiles; on a CPU all cores train anyway."""
    augmentation: str = "road"
    """`road`: all that may happen between road and photograph. `published`: the paper's augmentation."""
    paste: float = 0.0
    """Share of crack-free tiles into which a real crack of another photograph is pasted, 0..1."""
    least_scale: float = 0.5
    """Below 0.5, a quarter of the tiles shows photographs this small, px of the tile per px, up to 0.5: for
    coarse cameras. At least 0.1; not with the paper's augmentation."""
    threshold_by: str = "iou"
    """What the threshold of the weights makes greatest over the validation sets: `iou`, or `lines`, line F1,
    for labels that are wider than cracks."""
    calibrate: bool = False
    """Fit the probabilities of the weights to the validation photographs, where there is one class."""
    loss: str = "bce_dice"
    """Of one class; see `losses.LOSSES`."""
    schedule: str = "cosine"
    """Of the learning rate. `cosine`: warm-up, then half a cosine down to 1 %. `plateau`: halved after
    `plateau_epochs` epochs without improvement."""
    plateau_epochs: int = 5
    learning_rate: float = 1e-3
    encoder_rate: float = 0.5
    """Learning rate of the pretrained encoder over that of the rest."""
    fresh_head_rate: float = 3.0
    """Learning rate of the last layer over that of the rest, where `init` knows other classes. Its fresh rows
    have a long way to go in a short schedule, while the rest is almost trained at the start."""
    class_weight_power: float = 0.5
    """Of several classes the loss weighs each by frequency ** -power. The paper has 1 (eq. 22), with which
    sound pixels weigh so little that the network finds some class everywhere."""
    weight_decay: float = 1e-2
    decay_vectors: bool = False
    """Whether weight decay is also on biases and batch norm, and not only on kernels and matrices."""
    warmup: float = 0.04
    """Share of the schedule over which the learning rate rises, where it falls along a cosine."""
    gradient_norm: float = 2.0
    ema_decay: float = 0.998
    """0: no average, the weights themselves."""
    bf16: bool | None = None
    """bf16 autocast; None: if the device multiplies in bf16 itself (else it is emulated and slower)."""
    pretrained: bool = True
    """Start the encoder from ImageNet."""
    prior: float = 0.02
    """Probability of crack with which every pixel starts if the last layer is fresh; 0.5 is undecided."""
    init: str | Path | None = None
    """Weights to start from instead, a name or a file. Network and average start from them; the optimiser is
    fresh. Where several classes are learned from weights of other classes, only classes of the same name are
    taken from their last layer."""
    teacher: str | Path | None = None
    """Weights of one class, a name or a file, whose probabilities are learned beside the labels, also where
    nobody labelled (`losses.Teacher`)."""
    teacher_share: float = 0.5
    """Share of what the teacher says in the loss, 0..1; the rest is that of the labels."""
    seed: int = 0
    validation_share: float = 0.0
    """Share of the photographs of one's own sets, 0..1, that is kept from training; the public sets have
    theirs (`data.pairs.VALIDATION_SHARE`)."""
    validations: int = 8
    """Interim validations, evenly over the schedule. With `plateau` there is one after each epoch instead."""
    validation_photographs: int = 10
    """Photographs of each set that an interim validation looks at."""
    patience: int | None = None
    """Validations without improvement after which the training ends early; None: never."""
    checkpoint_minutes: float = 3.0
    finest_gsd_mm: float | None = None
    """Finest GSD, mm/px, of pictures like those trained on. A run shows images from this to
    `coarsest_gsd_mm` to the network as they are. None: as the weights of `init` say, with their shift;
    where none says, images off 1 mm by over 1.5 times are resampled."""
    coarsest_gsd_mm: float | None = None
    coarse_shift: float | None = None
    """What a run adds to the logit of coarse looks (`predict.coarse`), at most 0; None: it takes none."""
    licence: str | None = None
    """To be written into the weights; None: what the sets ask for (`data.credits`)."""
    resume: bool = False

    def __post_init__(self) -> None:  # raises ValueError for values that cannot be or do not fit together
        lengths = [self.tiles, self.minutes, self.epochs]
        if sum(length is not None for length in lengths) != 1:
            raise ValueError("give either tiles, minutes or epochs: the schedule needs one length")
        if self.out.suffix != ".safetensors":
            raise ValueError(f"out {self.out}: weights are written as .safetensors")
        if len(self.kinds) != len(self.classes):
            raise ValueError(
                f"{len(self.classes)} classes but {len(self.kinds)} kinds: give one for each class"
            )
        for name, choices in (
            ("architecture", ARCHITECTURES),
            ("augmentation", AUGMENTATIONS),
            ("loss", LOSSES),
            ("schedule", SCHEDULES),
            ("threshold_by", THRESHOLDS_BY),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} {getattr(self, name)!r}: choose one of {', '.join(choices)}")
        if not 0.1 <= self.least_scale <= 0.5:
            raise ValueError(f"least_scale is {self.least_scale}, but must be from 0.1 to 0.5")
        self._check_ranges()
        self._check_gsd()

    def _check_ranges(self) -> None:
        shares = ("paste", "validation_share", "encoder_rate", "ema_decay", "warmup", "teacher_share")
        at_least = {
            "batch": 1, "processes": 1, "loader_workers": 0, "plateau_epochs": 1, "validations": 0,
            "validation_photographs": 1, "weight_decay": 0, "checkpoint_minutes": 0, "class_weight_power": 0,
        }  # fmt: skip
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be from 0 to 1")
        for name, least in at_least.items():
            if not getattr(self, name) >= least:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be at least {least}")
        above_0 = (
            "tiles",
            "minutes",
            "epochs",
            "patience",
            "learning_rate",
            "gradient_norm",
            "fresh_head_rate",
            "finest_gsd_mm",
            "coarsest_gsd_mm",
        )
        for name in above_0:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value}, but must be above 0")
        if not 0 < self.prior < 1:
            raise ValueError(f"prior is {self.prior}, but must be above 0 and below 1")
        if self.rendered_share is not None and not 0 <= self.rendered_share <= 1:
            raise ValueError(f"rendered_share is {self.rendered_share}, but must be from 0 to 1")
        if self.rendered_share is not None and not self.rendered:
            raise ValueError("rendered_share without rendered sets: name their folders with --rendered")
        if self.augmentation == "published" and (self.paste or self.least_scale < 0.5):
            raise ValueError(
                f"paste {self.paste} and least_scale {self.least_scale} are of our augmentation: leave them "
                "out with the published one"
            )
        if len(self.classes) > 1 and (
            self.paste or self.calibrate or self.loss != "bce_dice" or self.teacher is not None
        ):
            raise ValueError(
                "paste, calibrate, loss and teacher are for one class: leave them out with several"
            )
        if math.isnan(self.learning_rate):
            raise ValueError("learning_rate is nan: give a number above 0")

    def _check_gsd(self) -> None:
        finest, coarsest = self.finest_gsd_mm, self.coarsest_gsd_mm
        if (finest is None) != (coarsest is None) or (finest or 0) > (coarsest or 0):
            raise ValueError(
                f"finest_gsd_mm {finest} and coarsest_gsd_mm {coarsest}: give both, the finest first, or none"
            )
        if self.coarse_shift is not None and (self.coarsest_gsd_mm is None or not self.coarse_shift <= 0):
            raise ValueError(
                f"coarse_shift is {self.coarse_shift}, but must be at most 0, beside finest_gsd_mm and "
                "coarsest_gsd_mm"
            )

    @property
    def gsd_range_mm(self) -> tuple[float, float] | None:
        """Finest and coarsest GSD, mm/px, that the weights may be shown as they are; None: not stated."""
        if self.finest_gsd_mm is None or self.coarsest_gsd_mm is None:
            return None
        return self.finest_gsd_mm, self.coarsest_gsd_mm

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where all sets are, photographed and rendered."""
        return (*self.data, *self.rendered)

    @property
    def folder(self) -> Path:
        """Where checkpoint and logs are."""
        return self.out.with_suffix("")

    @property
    def values(self) -> Path:
        """All of these values; the first file in the folder, by which a training's folder is known."""
        return self.folder / "train.toml"

    @property
    def checkpoint(self) -> Path:
        """The state after the last few minutes."""
        return self.folder / "checkpoint.pt"

    @property
    def best(self) -> Path:
        """The averaged weights of the best interim validation, if `keeps_best`."""
        return self.folder / "best.pt"

    @property
    def keeps_best(self) -> bool:
        """Whether the weights of the best validation are written, and not those of the end.

        A cosine ends with its best weights. Without one, or where it is cut short, the best may come earlier.
        """
        return self.patience is not None or self.schedule == "plateau"
