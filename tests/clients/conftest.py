"""A running server for each module, and clients that check every response against AWS's model."""

import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from model import check_response
from server import ROOT, Server, environment

sys.path.insert(0, str(ROOT / "packaging"))
import npm

# Keys, regions and endpoints of whoever runs the tests must not reach the SDKs.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

ACCOUNT = "123456789012"
REGION = "eu-west-1"
NODE_MODULES = Path(__file__).parent / "javascript" / "node_modules"
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="session")
def start_server(tmp_path_factory):
    """Starts a server with these options; each is stopped, and expected to stop cleanly, at the end."""
    running = []

    def start(*options: str) -> Server:
        running.append(Server(tmp_path_factory.mktemp("data"), *options))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def server(start_server, tmp_path_factory) -> Server:
    """The server that tests share; its buckets are folders in `server.buckets`."""
    buckets = tmp_path_factory.mktemp("buckets")
    shared = start_server("--s3", str(buckets))
    shared.buckets = buckets
    return shared


@pytest.fixture(scope="session")
def connect():
    """Makes a boto3 client; whatever it receives is checked against the model before boto3 reads it."""

    def connect(server: Server, region: str = REGION, key: str = ACCOUNT, secret: str = "any", token=None, checked=True, **config):
        settings = {"retries": {"mode": "standard", "total_max_attempts": 1}} | config
        session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token, region_name=region)
        client = session.client("rekognition", endpoint_url=server.url, config=Config(**settings))
        if checked:
            client.meta.events.register("before-parse.rekognition", check_before_parse)
        return client

    return connect


def check_before_parse(operation_model, response_dict, **_):
    check_response(operation_model.name, response_dict["status_code"], response_dict["headers"], response_dict["body"])


@pytest.fixture(scope="session")
def rekognition(server, connect):
    """A client of the shared server."""
    return connect(server)


@pytest.fixture
def collection(rekognition, request) -> str:
    """An empty collection with the test's own name."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:200]
    rekognition.create_collection(CollectionId=name)
    yield name
    rekognition.delete_collection(CollectionId=name)


def index(rekognition, collection, image, **options):
    """Indexes an image and returns the ids of its faces."""
    answer = rekognition.index_faces(CollectionId=collection, Image={"Bytes": image}, **options)
    return [record["Face"]["FaceId"] for record in answer["FaceRecords"]]


@pytest.fixture(scope="session")
def run():
    """Runs a command in the repository, or another folder, with a plain environment and these variables; its output."""

    def run(*command, folder: Path = ROOT, timeout: float = 120, **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(command, cwd=folder, env=environment(**variables), capture_output=True, text=True, timeout=timeout)

    return run


@pytest.fixture(scope="session")
def node_project(run, tmp_path_factory):
    """A folder of a user's with the npm package installed, and with the AWS SDK of these tests."""
    package = npm.pack(tmp_path_factory.mktemp("dist"))
    folder = tmp_path_factory.mktemp("project")
    (folder / "package.json").write_text('{"private": true}')
    # The SDK, which it wants beside itself, would come from the registry.
    options = ("--offline", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund")
    installed = run("npm", "install", *options, package, folder=folder, PATH=npm.variables()["PATH"])
    assert installed.returncode == 0, installed.stderr
    for name in ("@aws-sdk", "@types", "@smithy", "undici-types"):
        (folder / "node_modules" / name).symlink_to(NODE_MODULES / name)
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder
