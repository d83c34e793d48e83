"""A server that verifies signatures, and clients whose signatures are made by botocore."""

import datetime

import botocore.auth
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from raw import RawClient

CREDENTIALS = """
[[key]]
access_key_id = "AKIAALICE"
secret_access_key = "alice/s+ecret="
account = "123456789012"
user = "alice"

[[key]]
access_key_id = "ASIABOB"
secret_access_key = "bobs-secret"
session_token = "bobs/session+token=="
account = "210987654321"
user = "bob"
regions = ["eu-west-1"]
actions = ["rekognition:List*", "DescribeCollection"]
collections = ["public-*"]

[[key]]
access_key_id = "ASIAOLD"
secret_access_key = "old-secret"
session_token = "old-token"
account = "210987654321"
user = "carol"
expires = 2020-01-01T00:00:00Z
"""
ALICE = ("AKIAALICE", "alice/s+ecret=")
BOB = ("ASIABOB", "bobs-secret")
INVALID_TOKEN = "The security token included in the request is invalid."


@pytest.fixture(scope="module")
def server(start_server, tmp_path_factory):
    keys = tmp_path_factory.mktemp("keys") / "credentials.toml"
    keys.write_text(CREDENTIALS)
    return start_server("--credentials", str(keys))


@pytest.fixture(scope="module", autouse=True)
def alices_collection(server, connect):
    connect(server, key=ALICE[0], secret=ALICE[1]).create_collection(CollectionId="staff")


def refusal(call, **parameters) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**parameters)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_known_key_is_its_account(server, connect):
    alice = connect(server, key=ALICE[0], secret=ALICE[1])
    assert alice.list_collections()["CollectionIds"] == ["staff"]
    arn = alice.describe_collection(CollectionId="staff")["CollectionARN"]
    assert arn == "arn:aws:rekognition:eu-west-1:123456789012:collection/staff"
    bob = connect(server, key=BOB[0], secret=BOB[1], token="bobs/session+token==")
    assert bob.list_collections()["CollectionIds"] == [], "another account"


def test_wrong_keys_are_told_apart(server, connect):
    wrong = connect(server, key=ALICE[0], secret="guessed")
    code, message = refusal(wrong.list_collections)
    assert code == "InvalidSignatureException"
    assert message.startswith("The request signature we calculated does not match the signature you provided.")
    assert "alice/s+ecret=" not in message
    stranger = connect(server, key="AKIASTRANGER", secret=ALICE[1])
    assert refusal(stranger.list_collections) == ("UnrecognizedClientException", INVALID_TOKEN)


def test_a_session_key_needs_its_token(server, connect):
    for token in (None, "another"):
        bob = connect(server, key=BOB[0], secret=BOB[1], token=token)
        assert refusal(bob.list_collections) == ("UnrecognizedClientException", INVALID_TOKEN)
    alice = connect(server, key=ALICE[0], secret=ALICE[1], token="none-needed")
    assert refusal(alice.list_collections) == ("UnrecognizedClientException", INVALID_TOKEN)
    old = connect(server, key="ASIAOLD", secret="old-secret", token="old-token")
    assert refusal(old.list_collections) == ("ExpiredTokenException", "The security token included in the request is expired")


def test_a_key_does_no_more_than_it_may(server, connect):
    bob = connect(server, key=BOB[0], secret=BOB[1], token="bobs/session+token==")
    with pytest.raises(bob.exceptions.AccessDeniedException) as raised:
        bob.create_collection(CollectionId="public-1")
    assert raised.value.response["Error"]["Message"] == (
        "User: arn:aws:iam::210987654321:user/bob is not authorized to perform: rekognition:CreateCollection on resource: "
        "arn:aws:rekognition:eu-west-1:210987654321:collection/public-1 because no identity-based policy allows the "
        "rekognition:CreateCollection action"
    )
    assert refusal(bob.list_faces, CollectionId="staff")[0] == "AccessDeniedException"
    assert refusal(bob.list_faces, CollectionId="public-1")[0] == "ResourceNotFoundException"
    elsewhere = connect(server, key=BOB[0], secret=BOB[1], token="bobs/session+token==", region="us-east-1")
    code, message = refusal(elsewhere.list_collections)
    assert code == "InvalidSignatureException" and "Credential should be scoped to a valid region." in message


class QuerySigner(SigV4QueryAuth):
    """botocore's signer for the query form, but the body stays a body: it would move its members into the query."""

    def _modify_request_before_signing(self, request):
        body, request.data = request.data, b""
        super()._modify_request_before_signing(request)
        request.data = body


def raw(server, auth=SigV4Auth, service="rekognition", **options) -> RawClient:
    return RawClient(server.url, signer=auth(Credentials(*ALICE), service, "eu-west-1", **options))


def test_a_signature_may_stand_in_the_query(server):
    assert raw(server, QuerySigner, expires=60).call("ListCollections", {}) == (
        200,
        {"CollectionIds": ["staff"], "FaceModelVersions": ["7.0"]},
    )
    tampered = raw(server, QuerySigner, expires=60)
    tampered.signer.credentials.secret_key = "guessed"
    status, answer = tampered.call("ListCollections", {})
    assert (status, answer["__type"]) == (400, "InvalidSignatureException")


@pytest.mark.parametrize(("lives", "status"), [(60, 400), (300, 200)])
def test_a_signature_in_the_query_says_how_long_it_lives(server, monkeypatch, lives, status):
    shift_clock(monkeypatch, minutes=-2)
    answer = raw(server, QuerySigner, expires=lives).call("ListCollections", {})
    assert answer[0] == status
    assert status == 200 or answer[1]["message"].startswith("Signature expired: ")


def shift_clock(monkeypatch, minutes: int) -> None:
    shifted = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + datetime.timedelta(minutes=minutes)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: shifted)


@pytest.mark.parametrize(
    ("minutes", "text"), [(-14, None), (14, None), (-16, "Signature expired: "), (16, "Signature not yet current: ")]
)
def test_clocks_may_differ_by_fifteen_minutes(server, monkeypatch, minutes, text):
    shift_clock(monkeypatch, minutes)
    status, answer = raw(server).call("ListCollections", {})
    if text is None:
        assert status == 200
    else:
        assert (status, answer["__type"]) == (400, "InvalidSignatureException")
        assert answer["message"].startswith(text)


def test_the_signature_covers_the_body(server):
    client = raw(server)
    post = client.connection.request
    client.connection.request = lambda method, url, body, headers: post(method, url, body.replace(b"staff", b"other"), headers)
    status, answer = client.call("CreateCollection", {"CollectionId": "staff"})
    assert (status, answer["__type"]) == (400, "InvalidSignatureException")


def test_the_signature_is_of_this_service(server):
    status, answer = raw(server, service="textract").call("ListCollections", {})
    assert (status, answer["__type"]) == (400, "InvalidSignatureException")
    assert "Credential should be scoped to correct service: 'rekognition'." in answer["message"]


def test_an_unsigned_request_is_refused(server):
    class Unsigned:
        def add_auth(self, request):
            pass

    status, answer = RawClient(server.url, signer=Unsigned()).call("ListCollections", {})
    assert (status, answer) == (400, {"__type": "MissingAuthenticationTokenException", "message": "Missing Authentication Token"})
