"""The control plane against its own description: every route, with all that it allows."""

import hypothesis
import pytest
import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

TOKEN = {"authorization": "Bearer s3cret"}
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
# These answer with a stream that does not end, or with a file.
ENDLESS = {"/_lookalike/requests/stream"}
FILES = {"/_lookalike/export", "/_lookalike/import", "/_lookalike/seed"}


@pytest.fixture(scope="module")
def guarded(start_server):
    """A server whose control plane asks for a token."""
    return start_server("--admin-token", "s3cret")


@pytest.fixture(scope="module")
def description(guarded):
    return requests.get(f"{guarded.url}/_lookalike/openapi.json", headers=TOKEN, timeout=10).json()


@pytest.fixture(scope="module")
def schema(guarded, description):
    schema = schemathesis.openapi.from_dict(description)
    schema.config.update(base_url=guarded.url)
    return schema


def test_the_description_names_every_route_that_there_is(guarded, description):
    paths = set(description["paths"])
    named = {
        "health",
        "ready",
        "system",
        "reset",
        "requests",
        "requests/stream",
        "metrics",
        "answers",
        "faults",
        "thumbnails",
    }
    assert {f"/_lookalike/{name}" for name in named} <= paths
    for path in paths - ENDLESS - FILES:
        assert requests.options(guarded.url + path, headers=TOKEN, timeout=10).status_code == 405, (
            path
        )


def test_what_is_described_is_what_is_answered(guarded, schema):
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in ENDLESS | FILES:
            continue
        examples = 20 if operation.body else 3

        @hypothesis.settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy())
        def check(case):
            response = case.call(headers=TOKEN)
            case.validate_response(response, checks=CHECKS)

        check()


def test_answers_with_content_are_described(guarded, schema):
    """What the generated requests rarely reach: lists that are not empty."""

    def call(path, method, **body):
        case = schema[f"/_lookalike/{path}"][method].Case(**body)
        response = case.call(headers=TOKEN)
        case.validate_response(response, checks=CHECKS)
        assert response.status_code == 200, response.text
        return response.json()

    detail = {
        "Smile": {"Value": True, "Confidence": 90.0},
        "Emotions": [{"Type": "SAD", "Confidence": 51.5}],
    }
    answers = [
        {
            "image": {"s3_object": "a/*"},
            "faces": [{"person": "ann", "similarity": 97.5, "detail": detail}],
            "times": 2,
        }
    ]
    assert len(call("answers", "POST", body={"answers": answers})["ids"]) == 1
    assert call("answers", "GET")["answers"][-1]["faces"][0]["detail"] == detail
    rules = [
        {"operations": ["List*"], "probability": 0.5, "error": "ThrottlingException", "times": 1}
    ]
    plan = {"seed": 5, "presets": ["slow"], "rules": rules}
    assert call("faults", "PUT", body=plan)["rules"][-1]["struck"] == 0
    assert call("faults", "DELETE")["on"] is False
    assert call("system", "GET")["answers_on"] is True
    assert call("reset", "POST", body={"keep": ["faults"]})["deleted"] == []


def test_without_the_token_nothing_but_health_is_answered(guarded, description):
    for path, methods in description["paths"].items():
        for method in methods:
            answer = requests.request(method, guarded.url + path, json={}, timeout=10)
            expected = 200 if path in ("/_lookalike/health", "/_lookalike/ready") else 401
            assert answer.status_code == expected, (method, path, answer.text)
            if expected == 401:
                assert set(answer.json()) == {"error"}
