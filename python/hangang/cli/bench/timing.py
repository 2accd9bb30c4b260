"""Compares several ways to do one thing, timed so that the ratios between them can be trusted.

The rules of this file:
- All contenders run in one process, interleaved: every round times each of them once, in a shuffled order.
- A sample repeats its contender until it is long against the clock, and follows a warm run of the same.
- We measure CPU time of this process: on a busy machine wall-clock time also measures the neighbours.
- We report the median of per-round ratios: within a round both sides meet the same machine state, and
  ratios carry over between machines.
- The garbage collector is off during a sample, as in `timeit`: it would charge one contender at random.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping
from statistics import median

__all__ = ["Comparison"]


class Comparison:
    """Contenders by name, each a callable that does the whole work once; `events` is the work in units.

    Each `round()` adds one sample a contender. Seconds are CPU seconds for the whole work.
    """

    def __init__(
        self,
        contenders: Mapping[str, Callable[[], object]],
        events: int,
        *,
        sample: float = 0.02,
        seed: int = 1,
    ) -> None:
        self.events = events
        self.samples: dict[str, list[float]] = {name: [] for name in contenders}
        self._contenders = dict(contenders)
        self._random = random.Random(seed)
        self._repeats: dict[str, int] = {}
        for name, run in self._contenders.items():
            run()  # imports, caches
            once = _time(run, 1)
            self._repeats[name] = max(1, round(sample / max(once, 1e-9)))

    def round(self) -> None:
        """Time every contender once."""
        gc.collect()
        order = list(self._contenders)
        self._random.shuffle(order)
        for name in order:
            run = self._contenders[name]
            run()
            self.samples[name].append(_time(run, self._repeats[name]))

    def run(self, rounds: int) -> Comparison:
        """Run that many rounds; return self."""
        for _ in range(rounds):
            self.round()
        return self

    def cost(self, name: str) -> float:
        """CPU seconds an event."""
        return median(self.samples[name]) / self.events

    def ratio(self, name: str, to: str) -> float:
        """Cost of `name` divided by cost of `to`, as the median over the rounds."""
        return median(a / b for a, b in zip(self.samples[name], self.samples[to], strict=True))


def _time(run: Callable[[], object], repeats: int) -> float:
    """CPU seconds of one run, averaged over `repeats`."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        start = time.process_time()
        for _ in range(repeats):
            run()
        return (time.process_time() - start) / repeats
    finally:
        if was_enabled:
            gc.enable()
