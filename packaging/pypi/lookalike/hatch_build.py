"""Puts the built server and its default pack into the wheel, and tags it with the platform.

LOOKALIKE_BINARY names the server; by default it is that of `make build`. LOOKALIKE_WHEEL_PLATFORM
names a platform other than that of this Python, such as macosx_14_0_arm64.
"""

import os
import sys
import sysconfig
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("LOOKALIKE_BINARY", ROOT / "target" / "release" / "lookalike"))


class Server(BuildHookInterface):
    """Adds an installation without ONNX Runtime, which comes as a wheel of its own."""

    def initialize(self, version: str, build_data: dict) -> None:
        if version == "editable":
            return
        sys.path.insert(0, str(ROOT / "packaging"))
        import prefix

        self.scratch = tempfile.TemporaryDirectory()
        folder = Path(self.scratch.name)
        prefix.make(folder, BINARY, runtime=False)
        build_data["force_include"] = {str(folder): "lookalike/prefix"}
        own = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        platform = os.environ.get("LOOKALIKE_WHEEL_PLATFORM", own)
        build_data["tag"] = f"py3-none-{platform}"
        build_data["pure_python"] = False

    def finalize(self, version: str, build_data: dict, artifact_path: str) -> None:
        if version != "editable":
            self.scratch.cleanup()
