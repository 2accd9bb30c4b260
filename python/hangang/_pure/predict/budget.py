"""What prediction may cost before it has saved anything.

The crate counts bytes: a hit earns two passes over its bytes, a miss is charged what it looked at. Here the
comparisons are C calls that do not report how far they went, and adding numbers up for every frame would
itself be a fair part of what a hit costs. So templates are counted: after `MAX_TEMPLATES` that were learnt
without a hit, each further one doubles the number of frames to let pass before the next, up to 256. A hit
restores the full budget. So a stream that never repeats itself costs a vanishing share of templates, and
the bound of three examinations a byte holds against a stream that was made to mispredict.
"""

from __future__ import annotations

MAX_TEMPLATES = 4
_MAX_WAIT = 8  # as a power of two


class Budget:
    """Decides whether a template should be learnt."""

    __slots__ = ("_wait", "misses")

    def __init__(self) -> None:
        self.misses = 0  # templates learnt since the last hit
        self._wait = 0  # frames to let pass before the next

    def earn(self) -> None:
        """A template has matched."""
        self.misses = self._wait = 0

    def charge(self) -> None:
        """A template was learnt."""
        self.misses += 1
        if self.is_exhausted():
            self._wait = 1 << min(self.misses - MAX_TEMPLATES, _MAX_WAIT)

    def is_exhausted(self) -> bool:
        """Whether as many templates as are kept have been learnt without a hit."""
        return self.misses > MAX_TEMPLATES

    def may_learn(self) -> bool:
        """Whether a template should be made of the frame that was just parsed in full."""
        if self._wait:
            self._wait -= 1
            return False
        return True
