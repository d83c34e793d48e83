"""The AWS SDK for Rust. It is built on first use into .cache/, which takes a minute or two."""

from pathlib import Path

import faces
from server import ROOT
from test_javascript import save_pictures

MANIFEST = Path(__file__).parent / "rust" / "Cargo.toml"
BUILD_SECONDS = 900


def test_the_rust_sdk(server, run, tmp_path):
    target = ROOT / ".cache" / "rust-client"
    build = run("cargo", "build", "--quiet", "--locked", "--manifest-path", MANIFEST, "--target-dir", target, timeout=BUILD_SECONDS)
    assert build.returncode == 0, build.stderr
    pictures = save_pictures(tmp_path)
    (pictures / "group.jpg").write_bytes(faces.group(150, 200))
    result = run(target / "debug" / "lookalike-rust-client", LOOKALIKE_URL=server.url, LOOKALIKE_FACES=str(pictures))
    assert (result.returncode, result.stdout) == (0, "1 passed\n"), result.stderr
