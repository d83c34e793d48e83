"""What the documents promise: their links lead somewhere, and their snippets run."""

import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from debian import build_go, needs_go, needs_ruby, run_ruby
from documents import PUBLIC_ADDRESS, anchors, blocks, documents, links
from test_rust_sdk import run_snippet as run_rust_snippet

from server import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import book

# Documents whose snippets run here; test_manual.py has those that need more than a server.
RUN = ["README.md", "docs/QUICKSTART.md", "docs/FAQ.md"]
JAVASCRIPT = Path(__file__).parent / "javascript"
NODE = Path(sys.executable).parent / "node"
TOLERANCE = 0.01


@pytest.mark.parametrize("file", documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(file):
    broken = []
    for link in links(file):
        target = urlsplit(link)
        if target.scheme in ("http", "https", "mailto"):
            continue
        path = (file.parent / target.path).resolve() if target.path else file
        # What the changelog links to is made by the host of the repository.
        if path.parts[-2:-1] in (("compare",), ("tag",)):
            continue
        needs_heading = target.fragment and path.suffix == ".md"
        if not path.exists() or (needs_heading and target.fragment not in anchors(path)):
            broken.append(link)
    assert not broken, f"{file.relative_to(ROOT)}: {broken}"


def test_links_of_the_site_lead_somewhere(tmp_path):
    # The pages as mdBook gets them; CI builds the site itself.
    book.stage(tmp_path)
    pages = sorted(tmp_path.rglob("*.md"))
    broken = [
        f"{page.relative_to(tmp_path)}: {link}"
        for page in pages
        for link in links(page)
        if not urlsplit(link).scheme and not (page.parent / urlsplit(link).path).exists()
    ]
    assert len(pages) > 20
    assert broken == []


@pytest.fixture
def local(start_server):
    """Turns a snippet to a server of its own, as a reader's first one is."""
    server = start_server("--workers", "1")
    return lambda text: text.replace(PUBLIC_ADDRESS, server.url)


def snippets(name: str, language: str) -> list[str]:
    return [
        block.text
        for block in blocks(ROOT / name)
        if block.language == language and "not-run" not in block.marks
    ]


@pytest.mark.parametrize("name", [name for name in RUN if snippets(name, "sh")])
def test_shell_snippets(name, local, run):
    script = "set -euo pipefail\n" + local("\n".join(snippets(name, "sh")))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = run("bash", "-c", script, PATH=path, AWS_EC2_METADATA_DISABLED="true")
    assert result.returncode == 0, result.stderr
    for shown in snippets(name, "json"):
        assert same_shape(json.loads(shown), answers(result.stdout)), result.stdout


@pytest.mark.parametrize("name", [name for name in RUN if snippets(name, "python")])
def test_python_snippets(name, local, run):
    result = run(sys.executable, "-c", local("\n".join(snippets(name, "python"))))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", [name for name in RUN if snippets(name, "js")])
def test_javascript_snippets(name, local, run):
    # Node.js looks for packages beside the file.
    file = JAVASCRIPT / f"{Path(name).stem.lower()}.snippet.mjs"
    file.write_text(local("\n".join(snippets(name, "js"))))
    try:
        result = run(NODE, file)
    finally:
        file.unlink()
    assert result.returncode == 0, result.stderr


@needs_go
@pytest.mark.parametrize("name", [name for name in RUN if snippets(name, "go")])
def test_go_snippets(name, local, run, tmp_path):
    file = tmp_path / "main.go"
    file.write_text(local("\n".join(snippets(name, "go"))))
    result = run(build_go(run, file, tmp_path))
    assert result.returncode == 0 and result.stdout, result.stderr


@needs_ruby
@pytest.mark.parametrize("name", [name for name in RUN if snippets(name, "ruby")])
def test_ruby_snippets(name, local, run):
    result = run_ruby(run, local("\n".join(snippets(name, "ruby"))))
    assert result.returncode == 0 and result.stdout, result.stderr


@pytest.mark.parametrize("name", [name for name in RUN if snippets(name, "rust")])
def test_rust_snippets(name, local, run, tmp_path):
    # The client of the tests speaks plain HTTP, which the SDK's own does only with TLS beside it.
    text = local("\n".join(snippets(name, "rust"))).replace(
        ".behavior_version(", ".http_client(plain_http()).behavior_version("
    )
    block = tmp_path / "snippet.rs"
    block.write_text(f"{{\n{text}\nOk::<(), Box<dyn std::error::Error>>(())\n}}\n")
    result = run_rust_snippet(run, block)
    assert result.returncode == 0 and result.stdout, result.stderr


def answers(output: str):
    """The last JSON document in what a script printed."""
    decoder, last, position = json.JSONDecoder(), None, 0
    while (position := output.find("{", position)) >= 0:
        last, position = decoder.raw_decode(output, position)
    return last


def same_shape(shown, answered) -> bool:
    """Whether an answer is as shown: the same members, numbers about alike, ids apart."""
    if isinstance(shown, dict):
        return shown.keys() == answered.keys() and all(
            same_shape(shown[key], answered[key]) for key in shown
        )
    if isinstance(shown, list):
        return len(shown) == len(answered) and all(map(same_shape, shown, answered))
    if isinstance(shown, float):
        return abs(shown - answered) <= TOLERANCE * max(abs(shown), 1)
    is_id = isinstance(shown, str) and shown.count("-") == 4
    return is_id or shown == answered
