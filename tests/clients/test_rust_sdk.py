"""The AWS SDK for Rust. It is built on first use into .cache/, which takes a minute or two."""

from pathlib import Path

import faces
from server import ROOT
from test_javascript import save_pictures

MANIFEST = Path(__file__).parent / "rust" / "Cargo.toml"
TARGET = ROOT / ".cache" / "rust-client"
CARGO = ("--quiet", "--locked", "--manifest-path", MANIFEST, "--target-dir", TARGET)
BUILD_SECONDS = 900


def test_the_rust_sdk(server, run, tmp_path):
    build = run("cargo", "build", *CARGO, timeout=BUILD_SECONDS)
    assert build.returncode == 0, build.stderr
    pictures = save_pictures(tmp_path)
    (pictures / "group.jpg").write_bytes(faces.group(150, 200))
    result = run(TARGET / "debug" / "lookalike-rust-client", LOOKALIKE_URL=server.url, LOOKALIKE_FACES=str(pictures))
    assert (result.returncode, result.stdout) == (0, "1 passed\n"), result.stderr


def run_snippet(run, block: Path):
    """Builds and runs a snippet of the documents that is written into a file as a block."""
    command = ("cargo", "run", *CARGO, "--example", "snippet")
    return run(*command, timeout=BUILD_SECONDS, SNIPPET=str(block))
