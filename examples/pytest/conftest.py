"""Fixtures for tests of code that calls Amazon Rekognition.

Copy this file into your own test suite. It needs boto3 and pytest.

Set LOOKALIKE_URL (for example http://localhost:9340) to use a running server, such as a service
container of your CI. Or set LOOKALIKE_HOME to a clone of Lookalike that `make build` has built: the
fixtures start its server once for all tests, on a free port, with the clone's models and without
keeping data. LOOKALIKE_BIN names a binary other than the clone's. Without either, they start the
`lookalike` in PATH, which has to find models by itself (LOOKALIKE_MODELS, ORT_DYLIB_PATH).
"""

import hashlib
import json
import os
import subprocess
import urllib.request
import uuid
from pathlib import Path

import boto3
import pytest

ACCOUNT = "123456789012"


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
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="any",
    )


@pytest.fixture(autouse=True)
def rekognition_endpoint(lookalike_url, monkeypatch):
    """Points every AWS SDK and CLI of a test at the server; the code under test stays unchanged."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", lookalike_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def collection(rekognition):
    """The id of an empty collection that only this test uses."""
    collection_id = f"test-{uuid.uuid4()}"
    rekognition.create_collection(CollectionId=collection_id)
    yield collection_id
    rekognition.delete_collection(CollectionId=collection_id)


class ControlPlane:
    """What the server is told beside the API: docs/TESTING.md describes it."""

    def __init__(self, url: str):
        self.url = url

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        """Sends a request to the server's own routes."""
        data = json.dumps(body).encode() if body is not None else None
        token = os.environ.get("LOOKALIKE_ADMIN_TOKEN")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(
            f"{self.url}/_lookalike/{path}", data, headers, method=method
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def declare(self, image: bytes, *faces: dict, **answer) -> dict:
        """Declares which faces an image has; returns the image as the API takes it."""
        digest = hashlib.sha256(image).hexdigest()
        if "error" not in answer:
            answer["faces"] = list(faces)
        self.call(
            "POST",
            "answers",
            {"answers": [{"account": ACCOUNT, "image": {"sha256": digest}} | answer]},
        )
        return {"Bytes": image}

    def fail(self, *rules: dict, seed: int = 0) -> None:
        """Lets requests of these tests fail or wait."""
        rules = [{"account": ACCOUNT} | rule for rule in rules]
        self.call("PUT", "faults", {"seed": seed, "rules": rules})


@pytest.fixture
def lookalike(lookalike_url):
    """The control plane; what a test declares, stores and breaks is gone after it."""
    control_plane = ControlPlane(lookalike_url)
    yield control_plane
    control_plane.call("DELETE", "faults")
    control_plane.call("POST", "reset", {"account": ACCOUNT})
