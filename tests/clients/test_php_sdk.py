"""The core of AsyncAws for PHP, as Debian packages it."""

import shutil
from pathlib import Path

import pytest
from test_javascript import save_pictures

PROGRAM = Path(__file__).parent / "php" / "flow.php"
CORE = Path("/usr/share/php/AsyncAws/Core/autoload.php")


@pytest.mark.skipif(
    shutil.which("php") is None or not CORE.is_file(),
    reason="needs Debian's php-cli and php-async-aws-core",
)
def test_async_aws(server, run, tmp_path):
    pictures = save_pictures(tmp_path)
    result = run("php", PROGRAM, LOOKALIKE_URL=server.url, LOOKALIKE_FACES=str(pictures))
    assert (result.returncode, result.stdout) == (0, "1 passed\n"), result.stdout + result.stderr
