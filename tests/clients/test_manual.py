"""The snippets of the manual and of the packages' pages, run as a reader would."""

import configparser
import json
import os
import shutil
import sys
import tomllib

import pytest
import yaml
from documents import PUBLIC_ADDRESS, blocks, documents
from test_documents import NODE, RUN, snippets

from server import BINARY, ROOT

PACKAGES = ROOT / "packaging" / "pypi"
FACES = ROOT / "examples" / "faces"
PLUGIN = {
    "PYTEST_PLUGINS": "pytest_lookalike.plugin",
    "PYTHONPATH": f"{PACKAGES / 'lookalike'}{os.pathsep}{PACKAGES / 'pytest-lookalike'}",
    "LOOKALIKE_BIN": str(BINARY.absolute()),
    "LOOKALIKE_HOME": str(ROOT),
}
SHELL = ["docs/ENROLLING.md", "docs/MODELS.md", "docs/TESTING.md", "docs/TRANSFER.md"]
PYTHON = ["docs/TESTING.md", "docs/TRANSFER.md"]
PYTEST = ["docs/CLIENTS.md", "packaging/pypi/pytest-lookalike/README.md"]
SERVERS = ["docs/CLIENTS.md", "packaging/pypi/lookalike/README.md"]
NODE_TESTS = ["docs/CLIENTS.md", "packaging/npm/README.md"]
# What runs of each language; nothing runs of the last ones.
PROGRAMS = {
    "sh": [*RUN, *SHELL],
    "python": [*RUN, *PYTHON, *PYTEST, *SERVERS],
    "js": [*RUN, *NODE_TESTS],
    "go": RUN,
    "ruby": RUN,
    "rust": RUN,
    "php": [],
    "java": [],
    "hcl": [],
}


def test_every_program_is_run_or_marked():
    others = [
        f"{file.relative_to(ROOT)}: {block.text.splitlines()[0]}"
        for file in documents()
        for block in blocks(file)
        if block.language in PROGRAMS and "not-run" not in block.marks
        if str(file.relative_to(ROOT)) not in PROGRAMS[block.language]
    ]
    assert others == []


def test_data_is_well_formed():
    for file in documents():
        for block in blocks(file):
            if block.language == "json":
                json.loads(block.text)
            elif block.language == "toml":
                tomllib.loads(block.text)
            elif block.language == "yaml":
                yaml.safe_load(block.text)
            elif block.language == "ini":
                configparser.ConfigParser(strict=False).read_string(block.text)


@pytest.fixture
def desk(start_server, connect, tmp_path):
    """A server with a collection, and a folder with pictures where a reader tries things."""
    server = start_server("--workers", "1")
    # The account and region of a caller who names none.
    rekognition = connect(server, region="us-east-1", key="000000000000", checked=False)
    rekognition.create_collection(CollectionId="staff")
    image = {"Bytes": (FACES / "ana-1.jpg").read_bytes()}
    rekognition.index_faces(CollectionId="staff", Image=image)
    for name in ("ann/one", "ann/two", "bob.smith/portrait", "staff/ann/one", "visitors/one"):
        picture = tmp_path / "faces" / f"{name}.jpg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FACES / ("ben.jpg" if "bob" in name else "ana-2.jpg"), picture)
    # An installation has the command in PATH.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "lookalike").symlink_to(BINARY.absolute())
    return server, tmp_path


def script(text: str, server) -> str:
    port = server.url.rpartition(":")[2]
    return "set -euo pipefail\n" + text.replace(":9340", f":{port}")


@pytest.fixture
def shell(desk, run):
    """Runs a script in the reader's folder."""
    server, folder = desk

    def shell(text: str):
        return run(
            "bash", "-c", script(text, server), folder=folder,
            PATH=f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", LOOKALIKE_HOME=str(ROOT),
            LOOKALIKE_URL=server.url, AWS_ENDPOINT_URL_REKOGNITION=server.url,
        )  # fmt: skip

    return shell


@pytest.mark.parametrize("name", SHELL)
def test_shell(name, shell):
    result = shell("\n".join(snippets(name, "sh")))
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_seed_file(desk, shell):
    [seed] = snippets("docs/ENROLLING.md", "toml")
    # A server without keys takes the account from the file alone.
    (desk[1] / "seed.toml").write_text(seed)
    result = shell("lookalike seed seed.toml")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", PYTHON)
def test_python(name, desk, shell, run):
    server, folder = desk
    if name == "docs/TRANSFER.md":
        assert shell("lookalike export staff.jsonl --collection staff").returncode == 0
    code = "\n".join(snippets(name, "python")).replace(PUBLIC_ADDRESS, server.url)
    result = run(sys.executable, "-c", code, folder=folder)
    assert result.returncode == 0 and result.stdout, result.stderr


@pytest.mark.parametrize("name", PYTEST)
def test_suites_of_pytest(name, run, tmp_path):
    suite = [text for text in snippets(name, "python") if "def test_" in text]
    file = tmp_path / "test_snippet.py"
    file.write_text("\n".join(suite))
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    result = run(sys.executable, "-m", "pytest", "-q", file, folder=tmp_path, **PLUGIN)
    assert result.returncode == 0 and f"{len(suite)} passed" in result.stdout, result.stdout


@pytest.mark.parametrize("name", SERVERS)
def test_servers_of_python(name, run):
    [code] = [text for text in snippets(name, "python") if "import Server" in text]
    result = run(sys.executable, "-c", code, **PLUGIN)
    assert (result.returncode, result.stdout) == (0, "[]\n"), result.stderr


@pytest.mark.parametrize("name", NODE_TESTS)
def test_suites_of_node(name, node_project, run):
    suite = "\n".join(snippets(name, "js"))
    (node_project / "snippet.test.mjs").write_text(suite)
    command = (NODE, "--test", "--test-reporter=tap", "snippet.test.mjs")
    result = run(*command, folder=node_project, **PLUGIN)
    count = suite.count("\ntest(")
    assert result.returncode == 0 and f"# pass {count}\n" in result.stdout, result.stdout
