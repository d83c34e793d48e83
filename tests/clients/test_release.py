"""What the workflows and recipes for releases promise and no run of them here can show."""

import re
import tomllib

import pytest

from server import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
COMPOSE = [
    ROOT / "compose.yaml",
    ROOT / "compose.stack.yaml",
    ROOT / "examples/cluster/compose.yaml",
]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_actions_are_pinned_by_hash(file):
    uses = re.findall(r"^ *(?:- )?uses: (.+)$", file.read_text(), re.MULTILINE)
    pinned = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert uses
    assert [action for action in uses if not pinned.fullmatch(action)] == []


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_images_of_others_have_a_tag(file):
    images = re.findall(r"^ *image: (.+)$", file.read_text(), re.MULTILINE)
    others = [image for image in images if "lookalike" not in image]
    assert [image for image in others if not re.search(r":v?[\dA-Z][\w.-]+$", image)] == []


def test_the_image_is_built_with_the_toolchain_of_the_repository():
    channel = tomllib.loads((ROOT / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"FROM rust:{channel}-bookworm AS chef" in dockerfile
    assert f"ENV RUSTUP_TOOLCHAIN={channel}" in dockerfile


def test_what_is_built_is_in_the_context_of_the_image():
    """Nothing that the server's crates embed is left out by .dockerignore."""
    ignored = (ROOT / ".dockerignore").read_text().split()
    sources = [*(ROOT / "src").rglob("*.rs"), *(ROOT / "crates").glob("*/src/**/*.rs")]
    included = re.compile(r"include_(?:str|bytes|dir)!\(\"([^\"]+)\"\)")
    for source in sources:
        for path in included.findall(source.read_text()):
            embedded = (source.parent / path).resolve().relative_to(ROOT)
            assert embedded.parts[0] not in ignored, f"{source.relative_to(ROOT)} embeds {embedded}"
