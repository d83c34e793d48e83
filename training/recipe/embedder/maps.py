"""The teacher's inner maps of views, and how far the student's are from them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from torch import Tensor, nn

from recipe.common.maps import tensor, variances
from recipe.embedder import morphs, teacher

MEASURED = 6
"""Batches whose maps set the scale."""


class Maps:
    """Looks at views as the teacher does."""

    def __init__(self, batches: Iterator[dict[str, Tensor]], blocks: nn.ModuleList):
        self.teach = teacher.Teacher(morphs.BATCH)
        self.adds = [block.adds for block in blocks]
        some = [self.look(batch) for batch in islice(batches, MEASURED)]
        self.variance = variances(some)
        self.variance_of_change = variances([self.changes(maps) for maps in some])

    def look(self, batch: dict[str, Tensor]) -> list[Tensor]:
        """The ends of the blocks, the head and its gathering."""
        return [tensor(map_) for map_ in self.teach.look(batch["views"].numpy())[1]]

    def changes(self, maps: list[Tensor]) -> list[Tensor]:
        """What each block adds to the map before it, or puts in its place."""
        ends = maps[: len(self.adds)]
        return [
            end - before if adds else end
            for adds, before, end in zip(self.adds, [ends[0], *ends], ends)
        ]
