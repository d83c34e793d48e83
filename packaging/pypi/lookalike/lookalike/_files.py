"""Where the server and its ONNX Runtime are."""

import importlib.util
import os
import shutil
from pathlib import Path

BINARY = Path(__file__).parent / "prefix" / "bin" / "lookalike"
LIBRARIES = ("libonnxruntime.so*", "libonnxruntime*.dylib")


class NotInstalledError(Exception):
    """Something is missing that installing the package puts in place."""


def binary() -> Path:
    """The server: LOOKALIKE_BIN, that of this package, or else the one in PATH."""
    if named := os.environ.get("LOOKALIKE_BIN"):
        return Path(named)
    if BINARY.is_file():
        return BINARY
    # A source tree has no binary of its own.
    if found := shutil.which("lookalike"):
        return Path(found)
    raise NotInstalledError(
        "there is no lookalike server: install the package's wheel, or set LOOKALIKE_BIN"
    )


def environment() -> dict[str, str]:
    """This process's environment, with the ONNX Runtime of the wheel `onnxruntime`."""
    variables = dict(os.environ)
    if "ORT_DYLIB_PATH" not in variables and BINARY.is_file():
        variables["ORT_DYLIB_PATH"] = str(_runtime())
    return variables


def _runtime() -> Path:
    # Found without being imported, which would load the library and NumPy.
    package = importlib.util.find_spec("onnxruntime")
    for folder in package.submodule_search_locations if package else []:
        for pattern in LIBRARIES:
            for library in sorted(Path(folder, "capi").glob(pattern)):
                return library
    raise NotInstalledError(
        "there is no ONNX Runtime: run `pip install onnxruntime`, or set ORT_DYLIB_PATH"
    )
