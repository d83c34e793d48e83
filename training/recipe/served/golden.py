"""Write what the pack answers for the example images, for the server's test to agree with.

The recipe trains and judges with its own copy of the served pipeline. The test holds both to each
other: boxes and landmarks in pixels, Confidence, and the vector of every face.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from recipe.common import data
from recipe.served import pipeline
from recipe.served.embedder import Embedder

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "crates" / "vision" / "src" / "golden.json"
IMAGES = ("ana-1.jpg", "ana-2.jpg", "ben.jpg", "group.jpg")
QUARTERS = (0, 1, 2)
"""Quarter turns, clockwise."""


def golden(pack: Path) -> list[dict]:
    """One entry for each image and turn, faces by falling area."""
    settings = pipeline.Settings.of(pack)
    networks, embedder = pipeline.Served(settings), Embedder(pack)
    entries = []
    for name in IMAGES:
        upright = cv2.imread(str(ROOT / "examples" / "faces" / name))[:, :, ::-1]
        for quarters in QUARTERS:
            image = np.ascontiguousarray(np.rot90(upright, -quarters))
            faces = pipeline.decide(networks.candidates(image), settings)
            areas = np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1)
            faces = faces.take(np.argsort(-areas, kind="stable"))
            entries.append(
                {
                    "image": name,
                    "quarters": quarters,
                    "faces": [
                        {
                            "box": np.round(box, 2).tolist(),
                            "landmarks": np.round(points, 2).tolist(),
                            "confidence": round(100 * float(score), 3),
                            "vector": np.round(embedder.vector(image, points), 4).tolist(),
                        }
                        for box, points, score in zip(faces.boxes, faces.landmarks, faces.scores)
                    ],
                }
            )
    return entries


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `recipe golden`."""
    parser.add_argument("--pack", type=Path, default=data.PACK)


def execute(options: argparse.Namespace) -> None:
    """Write the file."""
    entries = golden(options.pack)
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in entries)
    GOLDEN.write_text(f"[\n{lines}\n]\n")
    print(f"{sum(len(entry['faces']) for entry in entries)} faces in {GOLDEN}")
