"""Face search as a Python user writes it in an afternoon: YuNet, MobileFaceNet and numpy, in one process and on one thread."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime

TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32)
"""Where eyes, nose and mouth belong in a crop of 112 pixels."""
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


class Afternoon:
    """The script, with a gallery of unit vectors [N, 128]."""

    def __init__(self, models: Path, gallery: np.ndarray):
        cv2.setNumThreads(1)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.detector = cv2.FaceDetectorYN.create(str(models / "yunet_n_dynamic.onnx"), "", (320, 320), 0.6)
        self.embedder = onnxruntime.InferenceSession(str(models / "mobilefacenet.onnx"), options, ["CPUExecutionProvider"])
        self.input = self.embedder.get_inputs()[0].name
        self.gallery = gallery

    def index(self, jpeg: bytes) -> np.ndarray:
        """Unit vectors of all faces of a photo."""
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        return np.stack([self.embed(image, face) for face in self.detect(image)])

    def search(self, jpeg: bytes) -> tuple[int, float]:
        """The best match of the largest face of a photo: its row and the cosine."""
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        largest = max(self.detect(image), key=lambda face: face[2] * face[3])
        scores = self.gallery @ self.embed(image, largest)
        best = int(scores.argmax())
        return best, float(scores[best])

    def detect(self, image: np.ndarray) -> np.ndarray:
        """Faces [N, 15] of an image: box, five landmarks, score."""
        height, width = image.shape[:2]
        scale = min(1.0, 640 / max(width, height))
        size = (round(width * scale), round(height * scale))
        self.detector.setInputSize(size)
        _, faces = self.detector.detect(cv2.resize(image, size) if scale < 1 else image)
        if faces is None:
            raise ValueError("no face")
        faces[:, :14] /= scale
        return faces

    def embed(self, image: np.ndarray, face: np.ndarray) -> np.ndarray:
        """The unit vector of a face."""
        matrix, _ = cv2.estimateAffinePartial2D(face[4:14].reshape(5, 2), TEMPLATE, method=cv2.LMEDS)
        crop = cv2.cvtColor(cv2.warpAffine(image, matrix, (112, 112)), cv2.COLOR_BGR2RGB)
        tensor = ((crop.astype(np.float32) / 255 - MEAN) / STD).transpose(2, 0, 1)[None]
        vector = self.embedder.run(None, {self.input: np.ascontiguousarray(tensor)})[0][0]
        return vector / np.linalg.norm(vector)
