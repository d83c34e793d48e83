"""The model card: prose from the templates beside this file, with the measured figures put in."""

from __future__ import annotations

from pathlib import Path
from string import Template

from recipe.analyzer.export import EVEN
from recipe.analyzer.spec import SIDE
from recipe.common import onnx_cost
from recipe.pack import evaluate


def fill(template: str, fields: dict[str, str]) -> str:
    """The text of a template in this folder with its fields filled in."""
    text = Path(__file__).with_name(template).read_text()
    return Template(text).substitute(fields)


def table(header: str, lines: list[list[str]]) -> str:
    """A Markdown table; columns of the header are separated by ` | `."""
    rule = "|---" * len(header.split(" | ")) + "|"
    return "\n".join([f"| {header} |", rule, *(f"| {' | '.join(line)} |" for line in lines)])


def calibration(lines: list[dict]) -> str:
    """False matches and misses at each Similarity."""
    return table(
        "Similarity | false matches | rate | missed | rate",
        [
            [
                str(line["similarity"]),
                f"{line['false_matches']} of {line['impostor_pairs']}",
                f"{line['fmr']:.2e}",
                f"{line['misses']} of {line['genuine_pairs']}",
                f"{100 * line['fnmr']:.1f} %",
            ]
            for line in lines
        ],
    )


def analyzer(pack: Path, figures: dict) -> str:
    """The analyzer's section."""
    reliability = [
        [name, span, str(count), f"{stated:.2f}", f"{true:.2f}"]
        for name, lines in figures["reliability"].items()
        for span, count, stated, true in lines
    ]
    fields = {
        "cost": onnx_cost.summary(pack / "analyzer.onnx", {"face": [1, 3, SIDE, SIDE]}),
        "even": " and ".join(EVEN),
        "reliability": table("attribute | stated | faces | mean stated | share true", reliability),
        "groups": table("group (faces) | figures", figures["groups"]),
    }
    return fill("card_analyzer.md", fields)


def card(pack: Path, figures: dict[str, dict]) -> str:
    """The whole card of a pack."""
    embedder = figures["embedder"]
    rows = [[n.strip(), f"{v:.4g}", target] for n, v, target in evaluate.rows(figures)]
    groups = [
        [name, str(group["faces"]), f"{group['cosine']:.3f}"]
        for name, group in embedder["groups"].items()
    ]
    fields = {
        "detector": onnx_cost.summary(pack / "detector.onnx", {"image": [1, 3, 320, 320]}),
        "embedder": onnx_cost.summary(pack / "embedder.onnx", {"face": [1, 3, 112, 112]}),
        "figures": table("measure | figure | target", rows),
        "calibration": calibration(embedder["mine"]["table"]),
        "groups": table("group | faces | mean cosine to the teacher", groups),
        "analyzer": analyzer(pack, figures["analyzer"]),
    }
    return fill("card.md", fields)
