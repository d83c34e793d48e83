"""The package of packaging/npm, packed, installed into an empty folder and used there."""

import sys
from pathlib import Path

import pytest
from conftest import NODE_MODULES

from server import BINARY, ROOT

BIN = Path(sys.executable).parent
TESTS = ROOT / "packaging" / "npm" / "tests"


@pytest.fixture(scope="module", autouse=True)
def suite(node_project):
    """Puts the package's own tests beside what a user has."""
    for file in TESTS.iterdir():
        (node_project / file.name).write_text(file.read_text())


def test_a_suite_of_a_user_passes(run, node_project):
    variables = {
        "LOOKALIKE_BIN": str(BINARY.absolute()),
        "LOOKALIKE_HOME": str(ROOT),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = (BIN / "node", "--test", "--test-reporter=tap", "sample.test.mjs")
    result = run(*command, folder=node_project, **variables)
    assert result.returncode == 0, result.stdout
    assert "# pass 11" in result.stdout and "# fail 0" in result.stdout, result.stdout


def test_a_missing_server_is_explained(run, node_project):
    code = "import('lookalike-testing').then((package_) => package_.startServer())"
    result = run(BIN / "node", "-e", code, folder=node_project, LOOKALIKE_BIN="/nonexistent")
    assert result.returncode == 1
    assert "the server /nonexistent cannot be run: install it" in result.stderr, result.stderr


def test_its_types_are_those_of_the_sdk(run, node_project):
    compiler = NODE_MODULES / "typescript" / "bin" / "tsc"
    options = ("--noEmit", "--strict", "--skipLibCheck", "--target", "es2022")
    files = ("--module", "nodenext", "types.ts")
    result = run(BIN / "node", compiler, *options, *files, folder=node_project)
    assert result.returncode == 0, result.stdout
