"""The fixtures: one server serves a whole run, and every test has an empty account of its own.

Under pytest-xdist each worker process starts its own server.
"""

import hashlib
import os
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from .control import Control

REGION = "us-east-1"
MISSING = "install the server with `pip install lookalike`, or set LOOKALIKE_URL to a running one"


class RunningServer:
    """A server that something else started; stopping it is not ours."""

    def __init__(self, url: str):
        if not urlsplit(url).netloc:
            raise pytest.UsageError(f"LOOKALIKE_URL is no address of a server: {url!r}")
        self.url = url.rstrip("/")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("lookalike_options", "options of the server, as for its command", type="args")


@pytest.fixture(scope="session")
def lookalike_server(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The server of this run, which has a `url`: that of LOOKALIKE_URL, or one of its own."""
    if url := os.environ.get("LOOKALIKE_URL"):
        yield RunningServer(url)
        return
    try:
        from lookalike import Server
    except ImportError:
        pytest.fail(MISSING, pytrace=False)
    options = list(request.config.getini("lookalike_options"))
    # Several servers of one machine would start a thread for each core, each.
    if "PYTEST_XDIST_WORKER" in os.environ and "--workers" not in options:
        options += ["--workers", "1"]
    with Server(*options) as server:
        yield server


@pytest.fixture(scope="session")
def _boto3_session() -> boto3.Session:
    # A session reads the models of AWS's services once; that takes longer than most tests.
    return boto3.Session(region_name=REGION)


@pytest.fixture
def lookalike_account() -> str:
    """Twelve digits that no other test uses. An account sees its own collections alone."""
    # The system's randomness: plugins such as pytest-randomly seed the other one before each test.
    return str(random.SystemRandom().randrange(10**11, 10**12))


@pytest.fixture
def rekognition_client(lookalike_server: Any, _boto3_session: boto3.Session) -> Callable[..., Any]:
    """Makes a client of an account: `rekognition_client("210987654321")`."""

    def client(account: str, **options: Any) -> Any:
        defaults = {
            "endpoint_url": lookalike_server.url,
            "aws_access_key_id": account,
            "aws_secret_access_key": "any",
        }
        return _boto3_session.client("rekognition", **(defaults | options))

    return client


@pytest.fixture
def rekognition_environment(
    lookalike_server: Any, lookalike_account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points the AWS SDKs that a test creates, in it or in processes it starts, at its account."""
    for name, value in {
        "AWS_ENDPOINT_URL_REKOGNITION": lookalike_server.url,
        "AWS_ACCESS_KEY_ID": lookalike_account,
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        monkeypatch.delenv(name, raising=False)
    # boto3.client() keeps the keys that it read first.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture
def rekognition(
    rekognition_environment: None,
    rekognition_client: Callable[..., Any],
    lookalike_account: str,
) -> Any:
    """A boto3 client on an empty server. Clients that the code under test makes see the same."""
    return rekognition_client(lookalike_account)


@pytest.fixture
def declare_answer(lookalike_server: Any, lookalike_account: str) -> Iterator[Callable[..., Any]]:
    """Declares what is in an image, which then nobody looks at; returns the image of a request.

    `declare_answer(faces=[{"person": "ann"}])` makes up an image; `image=` takes your own bytes,
    and `s3_object="photos/ann/*"` or `external_image_id="ann-*"` others by name. All members of the
    server's declared answers may be given. They hold for the account of this test and its time.
    """
    control = Control(lookalike_server.url)

    def declare(
        image: bytes | None = None,
        s3_object: str | None = None,
        external_image_id: str | None = None,
        **members: Any,
    ) -> dict[str, bytes]:
        content = uuid.uuid4().bytes if image is None else image
        if s3_object is not None:
            pattern = {"s3_object": s3_object}
        elif external_image_id is not None:
            pattern = {"external_image_id": external_image_id}
        else:
            pattern = {"sha256": hashlib.sha256(content).hexdigest()}
        answer = {"account": lookalike_account, "image": pattern} | members
        control.call("POST", "/answers", {"answers": [answer]})
        return {"Bytes": content}

    yield declare
    control.call("POST", "/reset", {"account": lookalike_account, "keep": ["faults"]})


@pytest.fixture
def inject_fault(
    lookalike_server: Any, lookalike_account: str
) -> Callable[..., AbstractContextManager[None]]:
    """Makes calls of this test fail or slow, for as long as the context lasts.

    `with inject_fault("ThrottlingException", operations=["IndexFaces"], times=2):`; all members of
    the rules of the server's faults may be given.
    """
    control = Control(lookalike_server.url)

    def inject(error: str | None = None, **members: Any) -> AbstractContextManager[None]:
        rule = {"account": lookalike_account} | members
        return control.fault(rule | ({"error": error} if error else {}))

    return inject
