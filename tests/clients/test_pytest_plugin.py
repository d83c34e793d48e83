"""The pytest plugin of packaging/pypi, from its source and with this build of the server."""

import os
import sys

from server import BINARY, ROOT

PACKAGES = ROOT / "packaging" / "pypi"


def test_its_own_tests_pass(run, tmp_path):
    tests = PACKAGES / "pytest-lookalike" / "tests"
    variables = {
        "PYTHONPATH": os.pathsep.join(
            str(PACKAGES / name) for name in ("lookalike", "pytest-lookalike")
        ),
        "PYTEST_PLUGINS": "pytest_lookalike.plugin",
        "LOOKALIKE_BIN": str(BINARY.absolute()),
        # The tests run elsewhere, and a build may be too.
        "LOOKALIKE_HOME": str(ROOT),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    result = run(*command, folder=tmp_path, timeout=300, **variables)
    assert result.returncode == 0, result.stdout
