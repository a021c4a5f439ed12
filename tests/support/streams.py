"""Streams of a GPU that run their work as late and in as strange an order as it could, on the CPU."""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from crackpipe.model.predict.gpu_batches import Streams


class Step:
    """Something queued on a stream. Runs when somebody waits for it, or by chance before."""

    def __init__(self, streams: "Shuffled", work: Callable[[], object], before: list["Step"]) -> None:
        self.streams, self.work, self.before, self.done = streams, work, before, False

    def synchronize(self) -> None:
        while not self.done:
            self.streams.run_one()


class Shuffled(Streams):
    """Three queues; of their first steps any that waits for nothing may be next."""

    def __init__(self, seed: int, *, graphs: bool = True) -> None:
        self.queues: dict[str, list[Step]] = {"up": [], "network": [], "down": []}
        self.chance = random.Random(seed)
        self.graphs = graphs

    def put(self, stream: str, work: Callable[[], object], after: Any = None) -> Step:
        step = Step(self, work, [] if after is None else [after])
        self.queues[stream].append(step)
        return step

    def run_one(self) -> None:
        ready = [
            queue for queue in self.queues.values() if queue and all(each.done for each in queue[0].before)
        ]
        step = self.chance.choice(ready).pop(0)
        with torch.inference_mode():
            step.work()
        step.done = True

    def capture(self, work: Callable[[], object]) -> Callable[[], object]:
        if not self.graphs:
            raise RuntimeError("operation not permitted when stream is capturing")
        return work

    def pinned(self, shape: tuple[int, ...]) -> Tensor:
        return torch.zeros(shape, dtype=torch.uint8)

    def settle(self) -> None:
        while any(self.queues.values()):
            self.run_one()
