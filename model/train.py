"""Training: tiles in, weights out.

The schedule runs over a number of tiles, or over minutes where the machine is shared and its speed unknown.
On CPUs two processes of one thread are faster than one of two; they average their gradients (DDP over gloo).
A training may be killed or stopped at any time and goes on from its last checkpoint.

Determinism: with `tiles`, the same data, seed and number of processes give the same weights, disturbed or
not; with `minutes`, the learning rate follows the clock and two trainings differ.
"""

import csv
import math
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from crackpipe.model import checkpoint, evaluate, weights
from crackpipe.model.checkpoint import Ema, Progress
from crackpipe.model.class_head import head_for
from crackpipe.model.context_cracknet import ContextCrackNet, ContextCrackNetLite
from crackpipe.model.datasets import Pair, TileNumbers, TrainingTiles, load_pairs, pixels_per_class
from crackpipe.model.export import export
from crackpipe.model.imagenet import load_imagenet_encoder
from crackpipe.model.losses import binary_loss, class_loss, frequency_weights

Network = ContextCrackNet | ContextCrackNetLite

ARCHITECTURES: dict[str, type[Network]] = {"lite": ContextCrackNetLite, "full": ContextCrackNet}

_LONGEST_STEP_S = 30.0
"""A step that took longer was paused (SIGSTOP, sleeping laptop): the rest does not count as training time."""


@dataclass(frozen=True)
class TrainConfig:
    """All that decides a training."""

    data: tuple[Path, ...]
    """Folders of sets, `DIR/NAME/images` and `DIR/NAME/masks`; rendered roads among them."""
    out: Path
    """Weights file to be written, .safetensors; checkpoint and logs go to a folder of its name beside it."""
    tiles: int | None = None
    """Length of the schedule in tiles ..."""
    minutes: float | None = None
    """... or in minutes of training time; exactly one of the two."""
    classes: tuple[str, ...] = ("crack",)
    """What the network tells apart: crack or not, or several classes, 1, 2, ... in this order."""
    kinds: tuple[str, ...] = ("crack",)
    """Of each class `crack`, `line` or `area` (`class_kinds`)."""
    architecture: str = "lite"
    processes: int = 2
    """One per CPU core, or per GPU."""
    device: str = "cpu"
    batch: int = 4
    """Tiles per process and step."""
    loader_workers: int = 0
    """Processes per training process that prepare tiles; on a CPU all cores train anyway."""
    learning_rate: float = 1e-3
    encoder_rate: float = 0.5
    """Learning rate of the pretrained encoder over that of the rest."""
    weight_decay: float = 1e-2
    """On kernels and matrices only."""
    warmup: float = 0.04
    """Share of the schedule over which the learning rate rises; after it, half a cosine down to 1 %."""
    gradient_norm: float = 2.0
    ema_decay: float = 0.998
    bf16: bool = True
    pretrained: bool = True
    """Start the encoder from ImageNet."""
    init: str | Path | None = None
    """Weights to start from instead, a name or a file: network and average; the optimiser is fresh. Where
    several classes are to be learned from weights of others, only the classes of the same name are taken from
    their last layer."""
    seed: int = 0
    validations: int = 8
    """Interim validations, evenly over the schedule, on `validation_photographs` of each set."""
    validation_photographs: int = 10
    checkpoint_minutes: float = 3.0
    resume: bool = False

    def __post_init__(self) -> None:
        if (self.tiles is None) == (self.minutes is None):
            raise ValueError("give either tiles or minutes: the schedule needs one length")
        if self.architecture not in ARCHITECTURES:
            raise ValueError(f"architecture {self.architecture!r}: choose one of {', '.join(ARCHITECTURES)}")
        if self.out.suffix != ".safetensors":
            raise ValueError(f"out {self.out}: weights are written as .safetensors")
        if len(self.kinds) != len(self.classes):
            raise ValueError(
                f"{len(self.classes)} classes but {len(self.kinds)} kinds: give one for each class"
            )

    @property
    def folder(self) -> Path:
        """Where checkpoint and logs are."""
        return self.out.with_suffix("")

    @property
    def checkpoint(self) -> Path:
        """The state after the last few minutes."""
        return self.folder / "checkpoint.pt"


def train(config: TrainConfig) -> Path:
    """Train, validate, choose the threshold, write the weights; returns `config.out`.

    Raises FileExistsError where a checkpoint is there and `resume` is off, FileNotFoundError or ValueError
    where data is missing or does not fit.
    """
    if config.checkpoint.exists() and not config.resume:
        raise FileExistsError(f"{config.checkpoint} is there: resume that training or remove {config.folder}")
    config.folder.mkdir(parents=True, exist_ok=True)
    if config.processes == 1:
        _work(0, config, None)
    else:
        with tempfile.TemporaryDirectory(prefix="crackpipe-train-") as folder:
            meeting_point = f"file://{folder}/meeting"  # a file and not a port: ports may be taken
            spawn = torch.multiprocessing.spawn  # type: ignore[attr-defined]
            spawn(_work, (config, meeting_point), nprocs=config.processes)  # type: ignore[no-untyped-call]
    return export(
        config.checkpoint,
        config.data,
        config.out,
        ARCHITECTURES[config.architecture],
        device=config.device,
        classes=config.classes,
        kinds=config.kinds,
    )


def rate_factor(progress: float, warmup: float) -> float:
    """Learning rate over its peak at `progress` 0..1: linear rise, then half a cosine down to 0.01."""
    if progress < warmup:
        return (progress + 1e-3) / (warmup + 1e-3)
    done = min(1.0, (progress - warmup) / (1 - warmup))
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))


def _work(rank: int, config: TrainConfig, meeting_point: str | None) -> None:
    """One process of a training."""
    # The parent's death reaches a spawned process as SIGINT, which whoever starts in the background ignores.
    if meeting_point:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.device == "cpu":
        torch.set_num_threads(1)
    if meeting_point:
        backend = "gloo" if config.device == "cpu" else "nccl"
        dist.init_process_group(backend, meeting_point, rank=rank, world_size=config.processes)
    try:
        _Training(rank, config).run()
    finally:
        if meeting_point:
            dist.destroy_process_group()


class _Training:
    """State of one process; all processes hold the same weights and the same progress at every step."""

    def __init__(self, rank: int, config: TrainConfig) -> None:
        self.rank, self.config = rank, config
        self.device = torch.device(config.device if config.device == "cpu" else f"{config.device}:{rank}")
        torch.manual_seed(config.seed)  # alike in all processes: they start from one network
        self.net = evaluate.place(build(config), self.device)
        channels = weights.channels_for(config.classes)
        average = evaluate.place(ARCHITECTURES[config.architecture](channels), self.device)
        average.load_state_dict(self.net.state_dict())
        self.ema = Ema(average, config.ema_decay)
        self.optimizer = torch.optim.AdamW(_parameter_groups(self.net, config), fused=True)
        self.class_weights = torch.ones(channels)
        self.progress = Progress()
        if config.resume and config.checkpoint.exists():
            state = checkpoint.read(config.checkpoint)
            self.progress = checkpoint.restore(state, self.net, self.ema, self.optimizer)
        if config.bf16 and config.device == "cpu":
            keep_depthwise_in_full_precision(self.net)
        parallel = dist.is_available() and dist.is_initialized()
        self.model = DistributedDataParallel(self.net) if parallel else self.net
        self.log = Log(config.folder) if rank == 0 else None
        self.written_at = time.monotonic()

    def run(self) -> None:
        """Train to the end of the schedule."""
        validation = few_of_each(
            load_pairs(self.config.data, validation=True, classes=self.config.classes),
            self.config.validation_photographs,
        )
        batches = self._batches()
        self.model.train()
        done = self._agree(self._share_done())
        while done < 1:
            started = time.monotonic()
            loss = self._step(next(batches), done)
            self.progress.active_s += min(time.monotonic() - started, _LONGEST_STEP_S)
            done = self._agree(self._share_done())
            if self.log:
                self.log.step(self.progress, loss, done)
            started = time.monotonic()
            self._validate_when_due(done, validation)
            self._checkpoint_when_due(done)
            self.progress.active_s += min(time.monotonic() - started, 10 * _LONGEST_STEP_S)

    def _batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        config = self.config
        pairs = load_pairs(config.data, validation=False, classes=config.classes)
        if len(config.classes) > 1:
            pixels = torch.from_numpy(pixels_per_class(pairs, len(config.classes)))
            self.class_weights = frequency_weights(pixels)
        tiles = TrainingTiles(pairs, config.seed)
        numbers = TileNumbers(self.progress.tiles, self.rank, config.processes)
        return iter(DataLoader(tiles, config.batch, sampler=numbers, num_workers=config.loader_workers))

    def _step(self, batch: tuple[torch.Tensor, torch.Tensor], done: float) -> float:
        """One optimiser step; returns the loss."""
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * group["rate"] * rate_factor(done, config.warmup)
        # Dropout draws from torch's generator: seeded per step, a resumed run draws the same.
        torch.manual_seed((config.seed * 1_000_003 + self.progress.step) * 1009 + self.rank)
        image, label = (part.to(self.device, non_blocking=True) for part in batch)
        with evaluate.autocast(self.device, config.bf16):
            logits = self.model(evaluate.normalise(image, self.net))
        if len(config.classes) == 1:
            loss = binary_loss(logits, label)
        else:
            loss = class_loss(logits, label, self.class_weights)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), config.gradient_norm)
        if torch.isfinite(norm):  # gradients are averaged by now, so all processes decide alike
            self.optimizer.step()
        self.progress.step += 1
        self.progress.tiles += config.batch * config.processes
        self.ema.update(self.net, self.progress.step)
        return float(loss.detach())

    def _share_done(self) -> float:
        if self.config.tiles is not None:
            return self.progress.tiles / self.config.tiles
        return self.progress.active_s / (60 * (self.config.minutes or 1))

    def _agree(self, value: float) -> float:
        """The first process's value: clocks differ, and one process must not stop before the other."""
        if not (dist.is_available() and dist.is_initialized()):
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(shared, src=0)
        return float(shared[0])

    def _validate_when_due(self, done: float, pairs: list[Pair]) -> None:
        due = math.floor(done * self.config.validations)
        if due <= self.progress.validations or done >= 1:  # the end is validated in full by `export`
            return
        self.progress.validations = due
        if self.log and pairs:
            predictions = list(
                evaluate.predict_pairs(
                    self.ema.average,
                    pairs,
                    self.device,
                    bf16=self.config.bf16,
                    classes=len(self.config.classes),
                )
            )
            self.log.validation(self.progress, evaluate.crack_or_not(predictions, self.config.kinds))

    def _checkpoint_when_due(self, done: float) -> None:
        due = time.monotonic() - self.written_at >= 60 * self.config.checkpoint_minutes
        if self.rank == 0 and (due or done >= 1):
            checkpoint.write(self.config.checkpoint, self.net, self.ema, self.optimizer, self.progress)
            self.written_at = time.monotonic()


class Log:
    """`log.csv` and `validation.csv` of a training, and a line on stderr every half minute."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told_at = time.monotonic()
        self._losses: list[float] = []
        self._last = Progress()

    def step(self, progress: Progress, loss: float, done: float) -> None:
        """Remember a step; report now and then."""
        self._losses.append(loss)
        if time.monotonic() - self._told_at < 30 and done < 1:
            return
        seconds = progress.active_s - self._last.active_s
        rate = (progress.tiles - self._last.tiles) / max(seconds, 1e-9) if self._last.step else 0.0
        mean = sum(self._losses) / len(self._losses)
        row: dict[str, object] = {
            "step": progress.step,
            "tiles": progress.tiles,
            "active_s": round(progress.active_s, 1),
            "done": round(done, 4),
            "loss": round(mean, 4),
            "tiles_per_s": round(rate, 2),
        }
        self._append("log.csv", [row])
        print("train: " + "  ".join(f"{k} {v}" for k, v in row.items()), file=sys.stderr, flush=True)
        self._told_at, self._losses, self._last = time.monotonic(), [], replace(progress)

    def validation(self, progress: Progress, predictions: list[evaluate.Prediction]) -> None:
        """Report the figures of every set at its best common threshold."""
        threshold = evaluate.best_threshold(predictions)
        rows: list[dict[str, object]] = [
            {"tiles": progress.tiles, "threshold": round(threshold, 3), "set": name}
            | {k: round(v, 4) for k, v in vars(scores).items()}
            for name, scores in evaluate.score_sets(predictions, threshold).items()
        ]
        self._append("validation.csv", rows)
        figures = "  ".join(f"{r['set']} {r['iou']:.3f}/{r['f1_2px']:.3f}" for r in rows)
        print(f"validation (IoU / F1 at 2 px) at {threshold:.2f}: {figures}", file=sys.stderr, flush=True)

    def _append(self, name: str, rows: list[dict[str, object]]) -> None:
        path = self._folder / name
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            if fresh:
                writer.writeheader()
            writer.writerows(rows)


def build(config: TrainConfig) -> Network:
    """The network at the start: from other weights, or fresh with its encoder pretrained, where asked.

    Raises ValueError where `init` holds another network than the one to be trained.
    """
    net = ARCHITECTURES[config.architecture](weights.channels_for(config.classes))
    if config.init is not None:
        start = weights.load(config.init)
        tensors = dict(start.tensors)
        if len(config.classes) > 1 and config.classes != start.classes:
            tensors |= head_for(config.classes, start, net.state_dict())
        try:
            net.load_state_dict(tensors)
        except RuntimeError as error:  # torch's list of names that are missing, too many or of another shape
            raise ValueError(
                f"init {start.path}: {start.architecture} with classes {', '.join(start.classes)} does not "
                f"fit the {config.architecture} network of {', '.join(config.classes)}: {error!s:.200}"
            ) from error
    elif config.pretrained:
        load_imagenet_encoder(net)
    return net


def few_of_each(pairs: list[Pair], photographs: int) -> list[Pair]:
    """The first so many pairs of every set."""
    names = sorted({pair.set_name for pair in pairs})
    return [pair for name in names for pair in [p for p in pairs if p.set_name == name][:photographs]]


def keep_depthwise_in_full_precision(net: nn.Module) -> None:
    """Run depthwise convolutions in fp32 inside autocast.

    Their bf16 weight gradient in channels_last is several times slower on CPUs: 0.60 against 0.46 s per tile
    for the whole step of the lite network.
    """

    def in_full_precision(module: nn.Conv2d) -> None:
        forward = module.forward

        def wrapped(x: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", enabled=False):
                return forward(x.float())

        module.forward = wrapped  # type: ignore[method-assign, assignment]

    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            in_full_precision(module)


def _parameter_groups(net: nn.Module, config: TrainConfig) -> list[dict[str, object]]:
    """Encoder and the rest at their rates; vectors (biases, batch norm) without weight decay."""
    groups = []
    for encoder in (True, False):
        rate = config.encoder_rate if encoder and (config.pretrained or config.init) else 1.0
        for vector in (True, False):
            parameters = [
                p
                for name, p in net.named_parameters()
                if name.startswith(("encoder.", "stem.", "layer")) == encoder and (p.ndim < 2) == vector
            ]
            decay = 0.0 if vector else config.weight_decay
            groups.append({"params": parameters, "weight_decay": decay, "rate": rate})
    return [group for group in groups if group["params"]]
