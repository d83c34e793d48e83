"""Write the pack's `pack.toml` and `CARD.md` from its networks and the measured figures."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from string import Template

import onnx
from onnx import shape_inference

import data
import evaluate
import evaluate_embedder

VERSION = "0.2.0"
LICENCE = "Apache-2.0 (weights trained on non-commercial research data, see CARD.md)"
DESCRIPTION = "The project's own detector, embedder and analyzer, taught by small public models."
RGB = 'color = "rgb"\nmean = [127.5, 127.5, 127.5]\nstd = [127.5, 127.5, 127.5]\nalignment = "arcface-5"'
ANALYZER = "size = 64\n" + RGB + "\nscale = 0.7"


def entry(pack: Path, name: str, rest: str) -> str:
    """One network's table: file, checksum and how to feed it."""
    digest = hashlib.sha256((pack / f"{name}.onnx").read_bytes()).hexdigest()
    return f'[{name}]\nfile = "{name}.onnx"\nsha256 = "{digest}"\n{rest}\n'


def accuracy(figures: dict[str, dict]) -> dict[str, float]:
    """The figures that `pack.toml` carries, percentages and milliseconds."""
    values: dict[str, float] = {}
    if detector := figures.get("detector"):
        real = detector["sets"]["real"]
        values["detector_recall_percent"] = 100 * real["recall"]
        values["detector_false_positives_per_image"] = real["false_per_image"]
        values["detector_landmark_error_percent"] = 100 * real["landmark_error"]
    if embedder := figures.get("embedder"):
        values["verification_percent"] = 100 * embedder["mine"]["verification"]
        values["verification_share_of_teacher_percent"] = 100 * embedder["share_of_teacher"]
        for line in embedder["mine"]["table"]:
            values[f"false_match_rate_at_{line['similarity']}"] = line["fmr"]
            values[f"miss_rate_at_{line['similarity']}"] = line["fnmr"]
    for name, value in figures.get("analyzer", {}).items():
        if isinstance(value, int | float):
            values[f"analyzer_{name}"] = value
    for name in ("detector 320x320", "embedder", "analyzer"):
        if name in figures.get("timing", {}):
            values[f"{name.split()[0]}_milliseconds"] = figures["timing"][name]
    return values


def toml(pack: Path, figures: dict[str, dict]) -> str:
    """The text of `pack.toml`."""
    curve = figures["embedder"]["calibration"]
    detector = (
        'family = "yunet"\ncolor = "bgr"\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n'
        f"score_threshold = {figures['detector']['threshold']}\nnms_iou = 0.45"
    )
    parts = [
        f'name = "default"\nversion = "{VERSION}"\nlicence = "{LICENCE}"\n'
        f'description = "{DESCRIPTION}"\n',
        entry(pack, "detector", detector),
        entry(pack, "embedder", f"size = 112\n{RGB}\ndimensions = 128\nflip = {str(evaluate_embedder.FLIP).lower()}"),
    ]
    if (pack / "analyzer.onnx").exists():
        parts.append(entry(pack, "analyzer", ANALYZER))
    parts.append(
        f"[calibration]\ncosine = {list(curve['cosine'])}\nsimilarity = {list(curve['similarity'])}\n"
    )
    lines = [f"{name} = {value:.6g}" for name, value in accuracy(figures).items()]
    return "\n".join([*parts, "[accuracy]", *lines, ""])


def cost(path: Path, shapes: dict[str, list[int]]) -> tuple[float, float, float]:
    """Parameters (millions), multiply-accumulates (millions) and file size (MB) of a network."""
    model = onnx.load(path)
    for value in model.graph.input:
        for axis, size in zip(value.type.tensor_type.shape.dim, shapes[value.name], strict=True):
            axis.dim_value = size
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    weights = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    sizes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.value_info}
    sizes |= {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.output}
    parameters = sum(product(dims) for dims in weights.values())
    macs = 0
    for node in graph.node:
        kernel = weights.get(node.input[1], []) if len(node.input) > 1 else []
        if node.op_type == "Conv":
            macs += product(kernel) * product(sizes[node.output[0]][2:])
        elif node.op_type in ("Gemm", "MatMul"):
            macs += product(kernel)
    return parameters / 1e6, macs / 1e6, path.stat().st_size / 1e6


def product(values: list[int]) -> int:
    """The product of some sizes; 1 for none."""
    result = 1
    for value in values:
        result *= value
    return result


def card(pack: Path, figures: dict[str, dict]) -> str:
    """The model card: the prose of `card.md` with the measured figures put in."""
    fields: dict[str, str] = {}
    inputs = {"detector": {"image": [1, 3, 320, 320]}, "embedder": {"face": [1, 3, 112, 112]}}
    for name, shapes in inputs.items():
        millions, macs, size = cost(pack / f"{name}.onnx", shapes)
        fields[name] = f"{millions:.2f} M parameters, {macs:.0f} MMACs, {size:.1f} MB"
    table = ["| measure | figure | target |", "|---|---|---|"]
    table += [f"| {n.strip()} | {v:.4g} | {t} |" for n, v, t in evaluate.rows(figures)]
    fields["figures"] = "\n".join(table)
    lines = ["| Similarity | false matches | rate | missed | rate |", "|---|---|---|---|---|"]
    for line in figures["embedder"]["mine"]["table"]:
        lines.append(
            f"| {line['similarity']} | {line['false_matches']} of {line['impostor_pairs']} | {line['fmr']:.2e} "
            f"| {line['misses']} of {line['genuine_pairs']} | {100 * line['fnmr']:.1f} % |"
        )
    fields["calibration"] = "\n".join(lines)
    groups = ["| group | faces | mean cosine to the teacher |", "|---|---|---|"]
    groups += [f"| {n} | {g['faces']} | {g['cosine']:.3f} |" for n, g in figures["embedder"]["groups"].items()]
    fields["groups"] = "\n".join(groups)
    analyzer = data.HERE / "card_analyzer.md"
    fields["analyzer"] = analyzer.read_text() if analyzer.exists() else "Not in this version."
    return Template((data.HERE / "card.md").read_text()).substitute(fields)


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, default=data.PACK)
    pack = parser.parse_args().pack
    figures = json.loads((data.WORK / "figures.json").read_text())
    (pack / "pack.toml").write_text(toml(pack, figures))
    (pack / "CARD.md").write_text(card(pack, figures))


if __name__ == "__main__":
    main()
