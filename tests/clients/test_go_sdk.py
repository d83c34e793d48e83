"""The AWS SDK for Go v2, as Debian packages it: every face operation that its version has."""

from pathlib import Path

from debian import build_go, needs_go
from test_javascript import save_pictures

PROGRAM = Path(__file__).parent / "go" / "main.go"


@needs_go
def test_the_go_sdk(server, run, tmp_path):
    command = build_go(run, PROGRAM, tmp_path)
    pictures = save_pictures(tmp_path)
    result = run(command, LOOKALIKE_URL=server.url, LOOKALIKE_FACES=str(pictures))
    assert (result.returncode, result.stdout) == (0, "1 passed\n"), result.stderr
