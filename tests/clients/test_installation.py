"""An installation in a folder of its own, away from the clone."""

import json
import shutil
import socket
import subprocess
import sys

import pytest

from server import BINARY, ROOT, Server

sys.path.insert(0, str(ROOT / "packaging"))
import prefix


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The command of an installation that a user unpacked."""
    folder = tmp_path_factory.mktemp("opt") / "lookalike"
    prefix.make(folder, BINARY)
    return folder / "bin" / "lookalike"


@pytest.fixture
def home(tmp_path):
    """The home folder of a user who set no option; the working folder too."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def ask(command, home, *arguments):
    variables = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [command, *arguments], cwd=home, env=variables, capture_output=True, text=True, timeout=30
    )


def start(command, home, *options):
    """Stops a server without options on data, packs and runtime once it is ready; its log."""
    variables = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    fixed = ["--listen", "127.0.0.1:0", "--log-format", "json"]
    log = []
    with subprocess.Popen(
        [command, *fixed, *options], cwd=home, env=variables, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            log.append(json.loads(line) if line.startswith("{") else {"message": line})
            if log[-1]["message"] == "ready":
                break
        process.terminate()
        log += process.communicate()[1].splitlines()
    assert process.returncode == 0, log
    return log


def test_it_runs_anywhere_and_keeps_data_in_the_users_folder(installed, home):
    log = start(installed, home)
    assert "ready" in [line["message"] for line in log if isinstance(line, dict)], log
    assert (home / ".local/share/lookalike/data/lookalike.sqlite3").is_file()
    assert not (home / "data").exists()


def test_it_warns_of_a_database_that_was_the_default_of_the_working_folder(installed, home):
    (home / "data").mkdir()
    (home / "data/lookalike.sqlite3").touch()
    log = start(installed, home)
    assert any("`--data data`" in str(line) for line in log), log


def test_it_lists_and_verifies_the_pack_that_it_came_with(installed, home):
    [default, *others] = json.loads(ask(installed, home, "models", "list", "--json").stdout)
    assert (default["name"], default["state"]) == ("default", "here")
    assert default["folder"].endswith("share/lookalike/models/default")
    assert {pack["state"] for pack in others} == {"pullable"}
    verified = ask(installed, home, "models", "verify")
    assert verified.stdout == "default: ok\n", verified.stderr


def test_without_onnx_runtime_it_says_where_it_looked(installed, home, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(installed.parents[1], bare)
    shutil.rmtree(bare / "lib")
    result = ask(bare / "bin/lookalike", home, "--data", ":memory:")
    assert result.returncode == 1
    for told in [str(bare / "lib/lookalike"), "install Lookalike again", "--onnxruntime"]:
        assert told in result.stderr, result.stderr
    assert "make" not in result.stderr


def test_an_s3_endpoint_that_does_not_answer_is_warned_about(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    server = Server(tmp_path, "--s3", endpoint)
    line = server.line(
        "the S3 endpoint does not answer: S3Object images cannot be read until it does"
    )
    assert line["endpoint"] == endpoint and "refused" in line["cause"]
    server.stop()
