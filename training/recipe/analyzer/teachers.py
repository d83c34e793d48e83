"""Run the analyzer's teachers over the cached crops, once, and keep their answers.

Reads `crops.npy` of prepare.py and writes `analyzer_teachers.npz` to the work folder: for the crops
in `rows` the 478-point face mesh, its presence, 52 blendshapes, head pose, age, gender and
seven expressions. Every teacher sees the wide aligned crop or a fixed rectangle of it.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import openvino
import torch
from ai_edge_litert.interpreter import Interpreter
from tqdm import tqdm

from recipe.analyzer.faceapi import AgeGenderTeacher, ExpressionTeacher
from recipe.common import data, geometry, onnx_runtime

MODELS = data.SHARED / "models"
MESH_SIDE, POSE_SIDE = 256, 64
AGED = ("celeba-9k", "film-faces", "synthetic-faces")
"""Sources whose ages and expressions have no label of their own."""

# The 146 of 478 mesh points that the blendshape network reads (MediaPipe's
# face_blendshapes_graph.cc).
BLENDSHAPE_POINTS = [
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65,
    66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136,
    144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172,
    173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283,
    284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324,
    332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385,
    386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472,
    473, 474, 475, 476, 477,
]  # fmt: skip

Rectangle = tuple[float, float, float, float]
"""x0, y0, x1, y1 in the units of the 112 x 112 alignment template; may leave 0..112."""
POSE_RECTANGLE: Rectangle = (-25.0, -25.0, 137.0, 137.0)
FACEAPI_RECTANGLE: Rectangle = (6.7, 22.8, 105.3, 121.4)


def cut(crop: np.ndarray, rectangle: Rectangle, side: int) -> np.ndarray:
    """A rectangle, in template units, of a wide crop, resized to a square of `side` pixels."""
    corners = np.array(rectangle, np.float64).reshape(2, 2)
    (x0, y0), (x1, y1) = ((corners / 112 - 0.5) * geometry.WIDE_SCALE + 0.5) * geometry.WIDE_SIDE
    scale_x, scale_y = side / (x1 - x0), side / (y1 - y0)
    shift_x, shift_y = (0.5 - x0) * scale_x - 0.5, (0.5 - y0) * scale_y - 0.5
    matrix = np.array([[scale_x, 0, shift_x], [0, scale_y, shift_y]])
    return geometry.warp(crop, matrix, side)


class MeshTeacher:
    """MediaPipe's face mesh and the blendshapes that follow from it."""

    def __init__(self) -> None:
        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        core = openvino.Core()  # four times as fast on this half-precision graph as ONNX Runtime
        self.mesh = core.compile_model(
            core.read_model(MODELS / "mediapipe-face-landmarks-478.onnx"), "CPU", settings
        )
        self.shapes = Interpreter(str(MODELS / "mediapipe-face-blendshapes.tflite"), num_threads=1)
        self.shapes.allocate_tensors()
        self.points_in = self.shapes.get_input_details()[0]["index"]
        self.shapes_out = self.shapes.get_output_details()[0]["index"]

    def __call__(self, crop: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        """Mesh [478, 3] in wide crop units (z too), presence 0..1, blendshapes [52]."""
        large = cv2.resize(crop, (MESH_SIDE, MESH_SIDE), interpolation=cv2.INTER_LINEAR)
        tensor = (large.transpose(2, 0, 1)[None] / 255).astype(np.float16)
        answer = self.mesh(tensor)
        points, presence = answer[0], answer[1]
        mesh = points.reshape(478, 3).astype(np.float32)
        self.shapes.set_tensor(
            self.points_in, np.ascontiguousarray(mesh[None, BLENDSHAPE_POINTS, :2])
        )
        self.shapes.invoke()
        shapes = self.shapes.get_tensor(self.shapes_out).copy()
        probability = 1 / (1 + np.exp(-float(presence.ravel()[0])))
        return mesh / MESH_SIDE, probability, shapes


class PoseTeacher:
    """The mean of the two FSA-Net heads. Their yaw, pitch, roll are turned into the API's signs."""

    def __init__(self, rectangle: Rectangle = POSE_RECTANGLE) -> None:
        self.rectangle = rectangle
        self.networks = [
            onnx_runtime.session(MODELS / name) for name in ("fsanet-1x1.onnx", "fsanet-var.onnx")
        ]

    def __call__(self, crop: np.ndarray) -> np.ndarray:
        """Roll, yaw, pitch in degrees: clockwise, nose to image right, face up are positive."""
        face = cut(crop, self.rectangle, POSE_SIDE)[..., ::-1].transpose(2, 0, 1)[None]
        tensor = ((face - 127.5) / 128).astype(np.float32)
        yaw, pitch, roll = np.mean(
            [n.run(None, {"input": tensor})[0][0] for n in self.networks], axis=0
        )
        return np.array([roll, -yaw, pitch], np.float32)


def observe(part: int, rows: np.ndarray) -> Path:
    """Save the teachers' answers for some crops, unless an earlier run did."""
    path = data.WORK / "analyzer_teachers" / f"{part:04}.npz"
    if path.exists():
        return path
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    source = np.load(data.WORK / "faces.npz")["source"][rows]
    crops = np.load(data.WORK / "crops.npy", mmap_mode="r")
    mesh, pose = MeshTeacher(), PoseTeacher()
    meshes = [mesh(crops[row]) for row in rows]
    aged = np.flatnonzero(np.isin(source, [data.SOURCE_IDS[name] for name in AGED]))
    age, male, expressions = (
        np.full(len(rows), np.nan),
        np.full(len(rows), np.nan),
        np.full((len(rows), 7), np.nan),
    )
    age_teacher, expression_teacher = AgeGenderTeacher(MODELS), ExpressionTeacher(MODELS)
    for some in np.split(aged, range(16, len(aged), 16)):
        if len(some):
            faces = np.stack([cut(crops[row], FACEAPI_RECTANGLE, 112) for row in rows[some]])
            age[some], male[some] = age_teacher(faces)
            expressions[some] = expression_teacher(faces)
    np.savez(
        path,
        rows=rows,
        mesh=np.stack([m[0] for m in meshes]).astype(np.float16),
        presence=np.array([m[1] for m in meshes], np.float32),
        blendshapes=np.stack([m[2] for m in meshes]).astype(np.float16),
        pose=np.stack([pose(crops[row]) for row in rows]),
        age=age.astype(np.float32),
        male=male.astype(np.float32),
        expressions=expressions.astype(np.float32),
    )
    return path


def selected() -> np.ndarray:
    """The rows that the teachers see: no tiny gray faces."""
    source = np.load(data.WORK / "faces.npz")["source"]
    rows = np.arange(len(source))
    return rows[source != data.SOURCE_IDS["fer-emotions"]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--processes", type=int, default=2)


def execute(options: argparse.Namespace) -> None:
    """Ask the teachers about every selected crop; parts that are there already are kept."""
    (data.WORK / "analyzer_teachers").mkdir(parents=True, exist_ok=True)
    rows = selected()
    parts = np.split(rows, range(256, len(rows), 256))
    with ProcessPoolExecutor(options.processes) as pool:
        paths = list(
            tqdm(pool.map(observe, range(len(parts)), parts), total=len(parts), desc="teachers")
        )
    answers = [dict(np.load(path)) for path in paths]
    np.savez(
        data.WORK / "analyzer_teachers.npz",
        **{k: np.concatenate([a[k] for a in answers]) for k in answers[0]},
    )
