"""Every constraint of every input member in AWS's model, broken on purpose. boto3 would not send most of these requests."""

import pytest

from constraints import Broken, broken_members, cases, request
from model import OPERATIONS, service_model
from raw import RawClient


@pytest.fixture(scope="module")
def client(server):
    return RawClient(server.url, account="210000000005")


def broken_request(operation: str, *members: Broken) -> dict:
    """A valid request with these members broken."""
    broken = request(operation)
    for member in members:
        parent = broken
        for name in member.path[:-1]:
            parent[name] = dict(parent.get(name, {}))
            parent = parent[name]
        parent[member.path[-1]] = member.value
    return broken


def message(violations: list[str]) -> str:
    plural = "" if len(violations) == 1 else "s"
    return f"{len(violations)} validation error{plural} detected: {'; '.join(violations)}"


def test_the_model_constrains_what_is_tested():
    assert len(cases()) > 200
    assert {operation for operation, _ in cases()} == set(OPERATIONS)
    assert all(broken.violations for _, broken in cases()), "each value breaks something"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_valid_request_breaks_nothing(client, operation):
    status, answer = client.call(operation, request(operation))
    code = answer.get("__type")
    modelled = {shape.name for shape in service_model().operation_model(operation).error_shapes}
    assert status == 200 or code in modelled, answer


@pytest.mark.parametrize(
    ("operation", "broken"), cases(), ids=lambda case: str(case).replace(" ", "-") if isinstance(case, Broken) else case
)
def test_a_broken_constraint_is_told_in_awss_words(client, operation, broken):
    status, answer = client.call(operation, broken_request(operation, broken))
    assert status == 400
    assert answer == {"__type": "ValidationException", "message": message(broken.violations)}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_absent_member_is_a_null_one(client, operation):
    required = service_model().operation_model(operation).input_shape.required_members
    members = service_model().operation_model(operation).input_shape.members
    absent = [f"Value null at '{name[0].lower()}{name[1:]}' failed to satisfy constraint: Member must not be null"
              for name in members if name in required]  # fmt: skip
    status, answer = client.call(operation, {})
    if absent:
        assert (status, answer) == (400, {"__type": "ValidationException", "message": message(absent)})
    else:
        assert status == 200


@pytest.mark.parametrize("operation", OPERATIONS)
def test_all_violations_come_at_once_in_the_models_order(client, operation):
    """One way of breaking each member that has a value, all in one request."""
    last = {broken.path: broken for broken in broken_members(operation) if broken.value not in (None, "")}
    order = list(service_model().operation_model(operation).input_shape.members)
    chosen = sorted(
        (broken for broken in last.values() if broken.path[-1] != "Bytes"), key=lambda broken: order.index(broken.path[0])
    )
    status, answer = client.call(operation, broken_request(operation, *chosen))
    assert status == 400
    assert answer["message"] == message([violation for broken in chosen for violation in broken.violations])


def test_bounds_themselves_are_allowed(client):
    for operation, name, value in [
        ("CreateCollection", "CollectionId", "a" * 255),
        ("ListCollections", "MaxResults", 4096),
        ("ListCollections", "MaxResults", 0),
        ("SearchFaces", "FaceMatchThreshold", 100),
        ("SearchFaces", "FaceMatchThreshold", 0.0),
        ("SearchFaces", "MaxFaces", 4096),
        ("IndexFaces", "MaxFaces", 2**31 - 1),
        ("ListUsers", "MaxResults", 500),
        ("DeleteFaces", "FaceIds", request("DeleteFaces")["FaceIds"] * 4096),
        ("AssociateFaces", "FaceIds", request("DeleteFaces")["FaceIds"] * 100),
        ("CreateUser", "UserId", "u" * 128),
        ("CreateUser", "ClientRequestToken", "t" * 64),
        ("TagResource", "Tags", {f"key{number}": "v" * 256 for number in range(200)}),
        ("ListTagsForResource", "ResourceArn", "a" * 2048),
    ]:
        _, answer = client.call(operation, request(operation) | {name: value})
        assert answer.get("__type") != "ValidationException", (operation, name, answer)


def test_no_operation_is_unknown(client):
    assert len(OPERATIONS) == 21
    for operation in OPERATIONS:
        assert operation in service_model().operation_names
        _, answer = client.call(operation, {})
        assert answer.get("__type") != "UnknownOperationException", operation
    status, answer = client.call("DetectLabels", {})
    assert (status, answer["__type"]) == (400, "UnknownOperationException")
    assert answer["message"].startswith("DetectLabels is not here: ")
