#!/usr/bin/env python3
"""Put an installation of Lookalike into a folder: packaging/prefix.py FOLDER [--binary FILE]

The folder then works from anywhere: the server finds `../lib` and `../share` beside its own folder.
Needs `make build` before. `--no-runtime` leaves ONNX Runtime out.
"""

import argparse
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = ROOT / ".cache" / "onnxruntime"
DOCUMENTS = ("README.md", "CHANGELOG.md", "LICENSE")


def make(prefix: Path, binary: Path, runtime: bool = True) -> None:
    """Makes the folder anew; without the runtime for packages that depend on one."""
    shutil.rmtree(prefix, ignore_errors=True)
    put(binary, prefix / "bin" / "lookalike", mode=0o755)
    for file in sorted((ROOT / "models" / "default").iterdir()):
        put(file, prefix / "share" / "lookalike" / "models" / "default" / file.name)
    documents = prefix / "share" / "doc" / "lookalike"
    for name in DOCUMENTS:
        put(ROOT / name, documents / name)
    if not runtime:
        return
    [library] = RUNTIME.glob("libonnxruntime.*")
    put(library, prefix / "lib" / "lookalike" / library.name)
    # The terms of ONNX Runtime ask for this wherever it goes.
    for name in ("LICENSE", "ThirdPartyNotices.txt"):
        put(RUNTIME / name, documents / "onnxruntime" / name)


def put(source: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prefix", type=Path)
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "lookalike")
    parser.add_argument("--no-runtime", dest="runtime", action="store_false")
    return parser.parse_args()


if __name__ == "__main__":
    options = arguments()
    make(options.prefix, options.binary, options.runtime)
