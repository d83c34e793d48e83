"""Measure the pack on held-out images and print the table of figures with their targets.

Writes the figures to `figures.json` in the work folder, from where `recipe pack` takes them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from recipe.analyzer import evaluate as analyzer_evaluate
from recipe.common import data, onnx_runtime
from recipe.detector import evaluate as detector_evaluate
from recipe.embedder import evaluate as embedder_evaluate

PARTS = ("detector", "embedder", "analyzer", "timing")
Row = tuple[str, float, str]


def timing(pack: Path, rounds: int = 100) -> dict[str, float]:
    """Median milliseconds of one-thread ONNX Runtime, ours and the references interleaved.

    CPU time is counted rather than wall time, so that other work on the machine disturbs less.
    """
    reference = data.SHARED / "models"
    networks = {
        "detector 320x320": (pack / "detector.onnx", (1, 3, 320, 320)),
        "YuNet 320x320": (reference / "yunet_n_dynamic.onnx", (1, 3, 320, 320)),
        "embedder": (pack / "embedder.onnx", (1, 3, 112, 112)),
        "MobileFaceNet": (reference / "mobilefacenet.onnx", (1, 3, 112, 112)),
        "analyzer": (pack / "analyzer.onnx", None),
    }
    spent: dict[str, list[float]] = {}
    sessions = {}
    for name, (path, shape) in networks.items():
        if path.exists():
            session = onnx_runtime.session(path)
            entry = session.get_inputs()[0]
            sizes = shape or (1, *entry.shape[1:])
            sessions[name] = (session, {entry.name: np.full(sizes, 0.5, np.float32)})
    for _ in range(rounds):
        for name, (session, feed) in sessions.items():
            start = time.process_time()
            session.run(None, feed)
            spent.setdefault(name, []).append((time.process_time() - start) * 1e3)
    return {name: float(np.median(values)) for name, values in spent.items()}


def rows(figures: dict[str, dict]) -> list[Row]:
    """The table: measure, figure, target."""
    table: list[Row] = []
    if detector := figures.get("detector"):
        real = detector["sets"]["real"]
        table += [
            ("detector recall of the teacher's faces over 40 px, %", 100 * real["recall"], ">= 97"),
            ("  at false positives per image", real["false_per_image"], "<= 0.1"),
            ("  at score threshold", detector["threshold"], ""),
            (
                "detector landmark error, % of the eye distance",
                100 * real["landmark_error"],
                "<= 4",
            ),
            (
                "  a single look of the teacher, %",
                100 * detector["teacher_self_landmark_error"],
                "",
            ),
            (
                "detector recall on composites, %",
                100 * detector["sets"]["composites"]["recall"],
                "",
            ),
        ]
        for side, share in detector["large_found"].items():
            other = detector["teacher_large_found"][side]
            name = f"largest faces found at {side} px (teacher {100 * other:.1f}), %"
            table.append((name, 100 * share, ">= 99"))
    if embedder := figures.get("embedder"):
        table += [
            (
                "embedder verification, % of the teacher's",
                100 * embedder["share_of_teacher"],
                ">= 98",
            ),
            ("  accuracy on held-out CelebA pairs, %", 100 * embedder["mine"]["verification"], ""),
            ("  the teacher's, %", 100 * embedder["teacher"]["verification"], ""),
            ("  mean cosine to the teacher", embedder["cosine_to_teacher"], ""),
        ]
        for line in embedder["mine"]["table"]:
            target = {80: "<= 0.1", 99: "<= 0.001"}.get(line["similarity"], "")
            pairs = f"{line['false_matches']} of {line['impostor_pairs']}"
            name = f"false-match rate at Similarity {line['similarity']} ({pairs}), %"
            table.append((name, 100 * line["fmr"], target))
            table.append(("  missed same-person pairs, %", 100 * line["fnmr"], ""))
    table += [(str(n), float(v), str(t)) for n, v, t in figures.get("analyzer", {}).get("rows", [])]
    targets = {"detector 320x320": "< 4", "embedder": "< 5", "analyzer": "< 3"}
    for name, milliseconds in figures.get("timing", {}).items():
        table.append((f"{name}, one core, ms", milliseconds, targets.get(name, "(reference)")))
    return table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--pack", type=Path, default=data.PACK)
    parser.add_argument("--only", choices=PARTS, nargs="*", default=list(PARTS))
    parser.add_argument("--photos", type=int, default=800, help="photos a split for the detector")


def execute(options: argparse.Namespace) -> None:
    """Measure the chosen parts, keep the others' last figures, print all."""
    store = data.WORK / "figures.json"
    figures = json.loads(store.read_text()) if store.exists() else {}
    parts = {
        "detector": lambda pack: detector_evaluate.measure(pack, options.photos),
        "embedder": embedder_evaluate.measure,
        "analyzer": analyzer_evaluate.measure,
        "timing": timing,
    }
    for name in options.only:
        figures[name] = parts[name](options.pack)
        store.write_text(json.dumps(figures, indent=1))
    figures = json.loads(store.read_text())
    for name, value, target in rows(figures):
        print(f"{name:<72} {value:>9.4g}  {target}")
