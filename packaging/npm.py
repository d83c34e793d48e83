#!/usr/bin/env python3
"""Pack the package of packaging/npm: packaging/npm.py DIST [--repository URL]

Its version is that of Cargo.toml. Needs npm in PATH or beside this Python. The registry takes a
package from a workflow only if it names the workflow's repository.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import archive
import prefix

PACKAGE = prefix.ROOT / "packaging" / "npm"


def pack(dist: Path, repository: str | None = None) -> Path:
    dist.mkdir(parents=True, exist_ok=True)
    manifest = json.loads((PACKAGE / "package.json").read_text())
    manifest["version"] = archive.version()
    if repository is not None:
        manifest["repository"] = {"type": "git", "url": f"git+{repository}.git"}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "package"
        shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("tests", "node_modules"))
        shutil.copyfile(prefix.ROOT / "LICENSE", folder / "LICENSE")
        (folder / "package.json").write_text(json.dumps(manifest, indent=2) + "\n")
        command = ["npm", "pack", "--silent", "--pack-destination", dist.absolute()]
        subprocess.run(command, check=True, cwd=folder, env=variables(), stdout=subprocess.DEVNULL)
    return dist / f"{manifest['name']}-{manifest['version']}.tgz"


def variables() -> dict[str, str]:
    """This process's, with the Node.js that came as a wheel first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path)
    parser.add_argument("--repository")
    options = parser.parse_args()
    print(pack(options.dist, options.repository))


if __name__ == "__main__":
    main()
