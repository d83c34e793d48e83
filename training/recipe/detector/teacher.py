"""The detector that teaches: YuNet, with its inner maps shown."""

from __future__ import annotations

from torch import Tensor, cat

from recipe.common import data, onnx_runtime
from recipe.common.maps import shown, tensor
from recipe.detector import yunet

INNER = {
    **dict.fromkeys(("233", "241", "250", "259"), 10.0),
    **dict.fromkeys(("283", "273", "263"), 10.0),
    **dict.fromkeys(("287", "291", "295"), 4.0),
}
"""Inner maps: the end of the beginning, the stages, pyramid and heads by rising stride; and what
they are multiplied by, so that each varies by about 1. One factor for all that are added up."""
RAW = (("297", "309", "303", "315"), ("299", "311", "305", "317"), ("301", "313", "307", "319"))
"""For each stride: class and objectness logits, box and landmarks."""


class Teacher:
    """YuNet in float32 on one thread."""

    def __init__(self) -> None:
        self.names = [*INNER, *(name for names in RAW for name in names)]
        path = shown(yunet.MODEL, self.names, data.WORK / "teacher-detector.onnx")
        self.session = onnx_runtime.session(path)

    def look(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Inner maps and raw maps [N, 16, H/s, W/s] of BGR pixels [N, 3, H, W]."""
        answer = self.session.run(self.names, {"input": images.float().numpy()})
        maps = {name: tensor(values) for name, values in zip(self.names, answer)}
        inner = [maps[name] * factor for name, factor in INNER.items()]
        return inner, [cat([maps[name] for name in names], 1) for names in RAW]
