"""Fixtures for tests of code that calls Amazon Rekognition.

Copy this file into your own test suite. It needs boto3 and pytest.

Set LOOKALIKE_URL (for example http://localhost:9340) to use a running server, such as a service
container of your CI. Or set LOOKALIKE_HOME to a clone of Lookalike that `make build` has built: the
fixtures start its server once for all tests, on a free port, with the clone's models and without
keeping data. LOOKALIKE_BIN names a binary other than the clone's. Without either, they start the
`lookalike` in PATH, which has to find models by itself (LOOKALIKE_MODELS, ORT_DYLIB_PATH).
"""

import json
import os
import subprocess
import uuid
from pathlib import Path

import boto3
import pytest


@pytest.fixture(scope="session")
def lookalike_url():
    """The address of a running server."""
    if url := os.environ.get("LOOKALIKE_URL"):
        yield url
        return
    home = os.environ.get("LOOKALIKE_HOME")
    binary = os.environ.get("LOOKALIKE_BIN") or (
        str(Path(home).resolve() / "target/release/lookalike") if home else "lookalike"
    )
    command = [binary, "--listen", "127.0.0.1:0", "--data", ":memory:", "--log-format", "json"]
    # Nobody reads the log after the start, so the server logs only that.
    environment = os.environ | {"LOOKALIKE_LOG": "lookalike::server=info"}
    # The server looks for its models below the folder it is started in.
    with subprocess.Popen(
        command, cwd=home, env=environment, stderr=subprocess.PIPE, text=True
    ) as server:
        log = []
        for line in server.stderr:
            log.append(line)
            if line.startswith("{") and json.loads(line)["message"] == "ready":
                yield f"http://{json.loads(line)['address']}"
                server.terminate()
                return
        pytest.fail(f"{binary} did not start: {''.join(log)}")


@pytest.fixture(scope="session")
def rekognition(lookalike_url):
    """A client of the server. The access key is the account; any secret will do."""
    return boto3.client(
        "rekognition",
        endpoint_url=lookalike_url,
        region_name="us-east-1",
        aws_access_key_id="123456789012",
        aws_secret_access_key="any",
    )


@pytest.fixture(autouse=True)
def rekognition_endpoint(lookalike_url, monkeypatch):
    """Points every AWS SDK and CLI of a test at the server; the code under test stays unchanged."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", lookalike_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "123456789012")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def collection(rekognition):
    """The id of an empty collection that only this test uses."""
    collection_id = f"test-{uuid.uuid4()}"
    rekognition.create_collection(CollectionId=collection_id)
    yield collection_id
    rekognition.delete_collection(CollectionId=collection_id)
