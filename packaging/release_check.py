#!/usr/bin/env python3
"""Test what a release would publish: packaging/release_check.py DIST

Unpacks the archive into an empty folder, installs the wheels into an empty environment and the npm
package into an empty project, each without a variable of the caller's, and starts the server there.
Prints what it measured; fails where something does not work. Kubernetes manifests are held against
the schemas of Kubernetes.
"""

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from pathlib import Path

import npm
import prefix

PACKAGING = prefix.ROOT / "packaging"
KUBERNETES = PACKAGING / "kubernetes"
SUITE = PACKAGING / "pypi" / "pytest-lookalike" / "tests"
SAMPLE = SUITE / "test_sample_project.py"
# A machine that does other things too starts the server within this; an idle one takes a tenth.
START_SECONDS = 10
AWS_SDK = "@aws-sdk/client-rekognition@3.1142.0"


def check_archive(dist: Path, scratch: Path) -> None:
    [archive] = dist.glob("lookalike-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(scratch, filter="data")
    [folder] = scratch.iterdir()
    command = folder / "bin" / "lookalike"
    variables = plain(scratch)
    subprocess.run([command, "models", "verify"], check=True, cwd=scratch, env=variables)
    seconds = start(command, scratch, variables)
    print(f"{archive.name}: {megabytes(archive)}; ready in {seconds:.2f} s where it was unpacked")


def check_wheels(dist: Path, scratch: Path) -> None:
    environment = scratch / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    wheels = sorted(dist.glob("*.whl"))
    install = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary=:all:",
    ]
    subprocess.run([*install, *wheels, "pytest-xdist"], check=True)
    seconds = start(environment / "bin" / "lookalike", scratch, plain(scratch))
    print(*(f"{wheel.name}: {megabytes(wheel)}" for wheel in wheels), sep="\n")
    print(f"installed wheel: ready in {seconds:.2f} s")
    for tests in (SAMPLE, SUITE):
        pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
        subprocess.run(pytest, check=True, cwd=scratch, env=plain(scratch))


def check_npm(dist: Path, scratch: Path) -> None:
    [package] = dist.glob("*.tgz")
    [archive] = dist.glob("lookalike-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(scratch / "server", filter="data")
    [server] = (scratch / "server").glob("*/bin/lookalike")
    project = scratch / "project"
    project.mkdir()
    (project / "package.json").write_text('{"private": true}')
    for file in (npm.PACKAGE / "tests").glob("*.mjs"):
        shutil.copy(file, project)
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", package, AWS_SDK]
    subprocess.run(install, check=True, cwd=project, env=npm.variables())
    # The server is in PATH, as after an installation.
    path = f"{server.parent}:{npm.variables()['PATH']}"
    subprocess.run(["node", "--test"], check=True, cwd=project, env=plain(scratch) | {"PATH": path})
    print(f"{package.name}: {megabytes(package)}")


def check_manifests() -> None:
    manifests = [KUBERNETES / "lookalike.yaml"]
    subprocess.run([Path(sys.executable).parent / "kubernetes-validate", *manifests], check=True)


def start(command: Path, folder: Path, variables: dict[str, str]) -> float:
    """Seconds until a server without any further option is ready."""
    options = ["--listen", "127.0.0.1:0", "--log-format", "json"]
    began = time.monotonic()
    process = subprocess.Popen(
        [command, *options], cwd=folder, env=variables, stderr=subprocess.PIPE, text=True
    )
    log = []
    for line in process.stderr:
        log.append(line)
        if line.startswith("{") and json.loads(line)["message"] == "ready":
            break
    seconds = time.monotonic() - began
    process.terminate()
    log.append(process.communicate()[1])
    if process.returncode != 0 or seconds > START_SECONDS:
        sys.exit(f"{command}: {seconds:.1f} s, exit {process.returncode}:\n{''.join(log)}")
    return seconds


def plain(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": "/usr/bin:/bin"}


def megabytes(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:.1f} MB"


def main(dist: Path) -> None:
    check_manifests()
    for check in (check_archive, check_wheels, check_npm):
        with tempfile.TemporaryDirectory() as scratch:
            check(dist, Path(scratch))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]).absolute())
