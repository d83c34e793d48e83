"""The fixtures that users copy, as they would run them: in a folder of their own."""

import shutil
import sys

import pytest

from server import BINARY, ROOT

ALL = "55 passed"


@pytest.fixture
def copy(tmp_path, run):
    """Runs the tests of the examples, copied elsewhere, with these variables; what they print."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")

    def copy(**variables: str) -> str:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/pytest"]
        return run(*command, folder=tmp_path, **variables).stdout

    return copy


def test_the_fixtures_with_a_server_that_runs_already(server, copy):
    output = copy(LOOKALIKE_URL=server.url)
    assert ALL in output, output


def test_the_fixtures_with_a_server_of_their_own(copy):
    output = copy(LOOKALIKE_HOME=str(ROOT), LOOKALIKE_BIN=str(BINARY.absolute()))
    assert ALL in output, output


def test_a_server_that_does_not_start_says_why(copy):
    output = copy(LOOKALIKE_HOME=str(ROOT), LOOKALIKE_BIN=str(BINARY.absolute()), LOOKALIKE_PACK="nowhere")
    assert "did not start" in output and "nowhere" in output, output
