#!/usr/bin/env python3
"""Pack an installation: packaging/archive.py DIST [--binary FILE]

Writes DIST/lookalike-VERSION-TARGET.tar.gz. The same files give the same archive, byte for byte:
order, owners and times are fixed.
"""

import argparse
import gzip
import platform
import tarfile
import tempfile
import tomllib
from pathlib import Path

import prefix

SYSTEMS = {"Linux": "linux", "Darwin": "macos"}
MACHINES = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def version() -> str:
    manifest = tomllib.loads((prefix.ROOT / "Cargo.toml").read_text())
    return manifest["workspace"]["package"]["version"]


def target() -> str:
    return f"{MACHINES[platform.machine()]}-{SYSTEMS[platform.system()]}"


def pack(dist: Path, binary: Path) -> Path:
    """Makes the archive; its one folder has its name."""
    name = f"lookalike-{version()}-{target()}"
    dist.mkdir(parents=True, exist_ok=True)
    archive = dist / f"{name}.tar.gz"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / name
        prefix.make(folder, binary)
        with (
            archive.open("wb") as file,
            gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for path in [folder, *sorted(folder.rglob("*"))]:
                tar.add(path, path.relative_to(scratch), recursive=False, filter=plain)
    return archive


def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = 0
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path)
    parser.add_argument("--binary", type=Path, default=prefix.ROOT / "target/release/lookalike")
    options = parser.parse_args()
    print(pack(options.dist, options.binary))


if __name__ == "__main__":
    main()
