"""The package of packaging/npm, packed, installed into an empty folder and used there."""

import sys
from pathlib import Path

import pytest

from server import BINARY, ROOT

sys.path.insert(0, str(ROOT / "packaging"))
import npm

BIN = Path(sys.executable).parent
MODULES = Path(__file__).parent / "javascript" / "node_modules"
TESTS = npm.PACKAGE / "tests"


@pytest.fixture(scope="module")
def project(run, tmp_path_factory):
    """A folder of a user's with the package, and with the AWS SDK of this folder's tests."""
    package = npm.pack(tmp_path_factory.mktemp("dist"))
    folder = tmp_path_factory.mktemp("project")
    (folder / "package.json").write_text('{"private": true}')
    # The SDK, which it wants beside itself, would come from the registry.
    options = ("--offline", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund")
    path = npm.variables()["PATH"]
    installed = run("npm", "install", *options, package, folder=folder, PATH=path)
    assert installed.returncode == 0, installed.stderr
    for name in ("@aws-sdk", "@types", "@smithy", "undici-types"):
        (folder / "node_modules" / name).symlink_to(MODULES / name)
    for file in TESTS.iterdir():
        (folder / file.name).write_text(file.read_text())
    return folder


def test_a_suite_of_a_user_passes(run, project):
    variables = {
        "LOOKALIKE_BIN": str(BINARY.absolute()),
        "LOOKALIKE_HOME": str(ROOT),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    result = run(BIN / "node", "--test", "--test-reporter=tap", folder=project, **variables)
    assert result.returncode == 0, result.stdout
    assert "# pass 11" in result.stdout and "# fail 0" in result.stdout, result.stdout


def test_a_missing_server_is_explained(run, project):
    code = "import('lookalike-testing').then((package_) => package_.startServer())"
    result = run(BIN / "node", "-e", code, folder=project, LOOKALIKE_BIN="/nonexistent")
    assert result.returncode == 1
    assert "the server /nonexistent cannot be run: install it" in result.stderr, result.stderr


def test_its_types_are_those_of_the_sdk(run, project):
    compiler = MODULES / "typescript" / "bin" / "tsc"
    options = ("--noEmit", "--strict", "--target", "es2022", "--module", "nodenext")
    result = run(BIN / "node", compiler, *options, "--skipLibCheck", "types.ts", folder=project)
    assert result.returncode == 0, result.stdout
