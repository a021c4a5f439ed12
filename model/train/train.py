"""Training: tiles in, weights out.

The schedule runs over a number of tiles or epochs, or over minutes, for a shared machine of unknown speed. On
CPUs two processes of one thread are faster than one process of two; they average their gradients (DDP over
gloo). A training may be killed or stopped at any time, and goes on from its last checkpoint.

Determinism: with `tiles` or `epochs`, the same data and seed give the same weights with one process, also
after an interruption, and with two; more were not tried. With `minutes` the learning rate follows the clock,
and two trainings differ.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from crackpipe.model.data.augment import Odds
from crackpipe.model.data.pairs import Pair, list_pairs, load_pairs, pixels_per_class, shows_crack
from crackpipe.model.data.tiles import TileNumbers, TrainingTiles
from crackpipe.model.evaluate.predictions import autocast, crack_or_not, normalise, place, predict_pairs
from crackpipe.model.predict.predictor import resolve_precision
from crackpipe.model.train import checkpoint, processes, recipes
from crackpipe.model.train.checkpoint import Ema, Origin, Progress
from crackpipe.model.train.class_head import has_fresh_rows, head_for, start_at_prior
from crackpipe.model.train.config import ARCHITECTURES, Network, TrainConfig
from crackpipe.model.train.export import export
from crackpipe.model.train.imagenet import load_imagenet_encoder
from crackpipe.model.train.log import Log
from crackpipe.model.train.losses import LOSSES, Teacher, class_loss, frequency_weights
from crackpipe.model.train.processes import Seat
from crackpipe.model.train.schedule import (
    check_judges,
    keep_depthwise_in_full_precision,
    note_validation,
    out_of_patience,
    parameter_groups,
    rate_of,
)
from crackpipe.model.weights.read import channels_for, load

_LONGEST_STEP_S = 30.0
"""A longer step was paused (SIGSTOP, a sleeping laptop); what is longer does not count as training time."""

MakeNetwork = Callable[[int], nn.Module]


@processes.giving_threads_back()
def train(config: TrainConfig, network: MakeNetwork | None = None) -> Path:
    """Train, validate, choose the threshold, write the weights; returns `config.out`.

    `network`, if given, is trained in place of `config.architecture`. It takes the number of output channels
    and returns a network as the training shall start with it. The names of its encoder's parameters begin
    with `encoder.`, and it has INPUT_MEAN and INPUT_STD as our networks have. A weights file can hold only
    our networks, so then the path of the checkpoint is returned.

    Under torchrun this is one of its processes, and the first one writes. Raises FileExistsError if a
    checkpoint is there and `resume` is off, if `config.folder` holds files but no training, or if another
    training writes there; FileNotFoundError or ValueError if data is missing or wrong, or `resume` meets a
    checkpoint of another training.
    """
    checkpoint.check_folder(config)
    check_judges(config)
    config = recipes.with_range_of_start(config)
    origin = checkpoint.origin_of(config)
    started_by = processes.seat_of_torchrun()
    if started_by is not None:
        config = replace(config, processes=started_by.processes)
    if config.bf16 is None:
        config = replace(config, bf16=resolve_precision(config.device) == "bf16")
    writes = started_by is None or started_by.rank == 0
    with checkpoint.held(config.folder) if writes else nullcontext():
        if writes:
            if not config.checkpoint.exists():  # what is best so far is of another training then
                config.best.unlink(missing_ok=True)
            config.values.write_text(recipes.as_toml(config), encoding="utf-8")
        seat = processes.run(_work, (config, origin, network), config.processes, config.device)
    if seat.rank > 0:
        return config.out
    trained = config.best if config.keeps_best and config.best.exists() else config.checkpoint
    if network is not None:
        return trained
    return export(
        trained,
        config.folders,
        config.out,
        ARCHITECTURES[config.architecture],
        device=config.device,
        licence=config.licence,
        seen_before=origin.seen,
        classes=config.classes,
        kinds=config.kinds,
        share_of_others=config.validation_share,
        gsd_range_mm=config.gsd_range_mm,
        coarse_shift=config.coarse_shift,
        threshold_by=config.threshold_by,
        calibrate=config.calibrate,
    )


def _work(seat: Seat, job: tuple[TrainConfig, Origin, MakeNetwork | None]) -> None:
    """One process."""
    _Training(seat, *job).run()


class _Training:
    """State of one process; all processes hold the same weights and the same progress at every step."""

    def __init__(self, seat: Seat, config: TrainConfig, origin: Origin, network: MakeNetwork | None) -> None:
        self.rank, self.config, self.origin = seat.rank, config, origin
        self.device = torch.device(
            config.device if config.device == "cpu" else f"{config.device}:{seat.local_rank}"
        )
        self._load_pairs()
        torch.manual_seed(config.seed)  # the same in all processes, so that they start from one network
        channels = channels_for(config.classes)
        self.net = place(network(channels) if network else build(config), self.device)
        average = place((network or ARCHITECTURES[config.architecture])(channels), self.device)
        average.load_state_dict(self.net.state_dict())
        self.ema = Ema(average, config.ema_decay)
        self.teacher = Teacher(config.teacher, self.device) if config.teacher is not None else None
        self.optimizer = torch.optim.AdamW(parameter_groups(self.net, config), fused=True)
        self.progress = Progress()
        if config.resume and config.checkpoint.exists():
            self.progress = checkpoint.restore(config.checkpoint, self.net, self.ema, self.optimizer)
        if config.bf16 and config.device == "cpu":
            keep_depthwise_in_full_precision(self.net)
        self.model = DistributedDataParallel(self.net) if processes.parallel() else self.net
        self.log = Log(config.folder) if self.rank == 0 else None
        self.written_at = time.monotonic()

    def _load_pairs(self) -> None:
        """Read the photographs."""
        config = self.config
        pairs = partial(
            load_pairs, config.folders, classes=config.classes, share_of_others=config.validation_share
        )
        self.validation = few_of_each(pairs(validation=True), config.validation_photographs, config.kinds)
        self.training = pairs(validation=False)
        counts = torch.from_numpy(pixels_per_class(self.training, len(config.classes)))
        self.class_weights = torch.ones(1)
        if len(config.classes) > 1:
            self.class_weights = frequency_weights(counts, config.class_weight_power)

    def run(self) -> None:
        """Train to the end of the schedule, or until patience is at its end."""
        batches = self._batches()
        self.model.train()
        done = self._share_done()
        while done < 1:
            started = time.monotonic()
            loss = self._step(next(batches), done)
            self.progress.active_s += min(time.monotonic() - started, _LONGEST_STEP_S)
            done = self._share_done()
            started = time.monotonic()
            self._validate_when_due(done)
            if out_of_patience(self.progress, self.config):
                done = 1.0
                if self.log:
                    self.log.say(f"early stop: {self.progress.since_best} validations without improvement")
            if self.log:
                self.log.step(self.progress, loss, done)
            self._checkpoint_when_due(done)
            self.progress.active_s += min(time.monotonic() - started, 10 * _LONGEST_STEP_S)

    def _batches(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        config = self.config
        tiles = TrainingTiles(
            self.training,
            config.seed,
            Odds(paste=config.paste),
            as_in_paper=config.augmentation == "published",
            rendered=frozenset(name for name, _, _ in list_pairs(config.rendered)) if config.rendered else (),
            rendered_share=config.rendered_share,
            least_scale=config.least_scale,
        )
        numbers = TileNumbers(self.progress.tiles, self.rank, config.processes)
        return iter(DataLoader(tiles, config.batch, sampler=numbers, num_workers=config.loader_workers))

    def _step(self, batch: tuple[torch.Tensor, torch.Tensor], done: float) -> float:
        """One optimiser step; returns the loss."""
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * rate_of(config, self.progress, done)
        # Dropout draws from torch's generator. A seed of its own for each step lets a resumed run draw the
        # same.
        torch.manual_seed((config.seed * 1_000_003 + self.progress.step) * 1009 + self.rank)
        image, label = (part.to(self.device, non_blocking=True) for part in batch)
        with autocast(self.device, bool(config.bf16)):
            logits = self.model(normalise(image, self.net))
            taught = self.teacher.loss(image, logits) if self.teacher else None
        if len(config.classes) == 1:
            loss = LOSSES[config.loss](logits, label)
        else:
            loss = class_loss(logits, label, self.class_weights)
        if taught is not None:
            loss = torch.lerp(loss, taught, config.teacher_share)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), config.gradient_norm)
        if torch.isfinite(norm):  # gradients are averaged already, so all processes decide the same
            self.optimizer.step()
        self.progress.step += 1
        self.progress.tiles += config.batch * config.processes
        self.ema.update(self.net, self.progress.step)
        return float(loss.detach())

    def _share_done(self) -> float:
        """How much of the schedule is over, 0..1 and more; the same in all processes."""
        config = self.config
        if out_of_patience(self.progress, config):
            return 1.0
        if config.minutes is not None:
            return processes.agree(self.progress.active_s / (60 * config.minutes), self.device)
        epoch_tiles = len(self.training)
        return self.progress.tiles / (config.tiles or (config.epochs or 1) * epoch_tiles)

    def _validate_when_due(self, done: float) -> None:
        config = self.config
        if config.schedule == "plateau":
            due = self.progress.tiles // len(self.training)
        else:
            due = math.floor(min(done, 1) * config.validations)
        # `export` validates the end in full. It is validated here only to compete with the best so far.
        at_end = done >= 1
        wanted = config.keeps_best if at_end else due > self.progress.validations
        if not wanted:
            return
        self.progress.validations = due
        score = -1.0
        if self.log and self.validation:
            found = list(
                predict_pairs(
                    self.ema.average,
                    self.validation,
                    self.device,
                    bf16=bool(config.bf16),
                    classes=len(config.classes),
                )
            )
            predictions = crack_or_not(found, config.kinds)
            if any((p.label == 1).any() for p in predictions):
                score = self.log.validation(self.progress, predictions)
        if config.keeps_best:
            better = note_validation(self.progress, processes.agree(score, self.device), config)
            if better and self.rank == 0:
                checkpoint.write_average(config.best, self.ema, self.progress, self.origin)

    def _checkpoint_when_due(self, done: float) -> None:
        due = time.monotonic() - self.written_at >= 60 * self.config.checkpoint_minutes
        if self.rank == 0 and (due or done >= 1):
            state = self.net, self.ema, self.optimizer, self.progress, self.origin
            checkpoint.write(self.config.checkpoint, *state)
            self.written_at = time.monotonic()


def build(config: TrainConfig) -> Network:
    """The network at the start: from other weights, or fresh, with a pretrained encoder where asked.

    Raises ValueError if `init` holds another network than the one to be trained.
    """
    net = ARCHITECTURES[config.architecture](channels_for(config.classes))
    start_at_prior(net, config.prior)
    if config.init is not None:
        start = load(config.init)
        tensors = dict(start.tensors)
        if has_fresh_rows(config.classes, start):
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


def few_of_each(pairs: list[Pair], photographs: int, kinds: Sequence[str] = ("crack",)) -> list[Pair]:
    """The first `photographs` pairs of every set, those with a crack before those without.

    Crack-free ones alone would judge nothing. `kinds` are those of the classes of the labels.
    """
    names = sorted({pair.set_name for pair in pairs})
    cracks_first = sorted(pairs, key=lambda pair: not shows_crack(pair.label, kinds))
    return [pair for name in names for pair in [p for p in cracks_first if p.set_name == name][:photographs]]
