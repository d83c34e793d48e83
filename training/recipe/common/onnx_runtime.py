"""Sessions of ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import onnxruntime


def session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """A CPU session with a fixed number of threads, silent about old exporters' habits."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
