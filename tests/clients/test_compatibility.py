"""docs/COMPATIBILITY.md leaves nothing out and points at tests that exist and speak of what they are named for."""

import re
from functools import lru_cache

from model import FRONT_END_ERRORS, OPERATIONS, service_model
from server import ROOT

DOCUMENT = (ROOT / "docs" / "COMPATIBILITY.md").read_text()
SOURCES = {"model", "docs", "evidence", "inferred"}
REFERENCE = r"`((?:it|clients|src|tests)/[a-z0-9_./:]+)`"


def rows(columns: int) -> list[list[str]]:
    lines = re.findall(r"^\| (.+) \|$", DOCUMENT, re.MULTILINE)
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [row for row in cells if len(row) == columns and row[0] != "---" and row[-1] != "Source"]


def nested_shapes() -> list:
    """Every structure that an operation takes or answers, below its own."""
    found, waiting = {}, []
    for operation in OPERATIONS:
        model = service_model().operation_model(operation)
        waiting += [member for shape in (model.input_shape, model.output_shape) if shape for member in shape.members.values()]
    while waiting:
        shape = waiting.pop()
        if shape.type_name == "list":
            waiting.append(shape.member)
        elif shape.type_name == "structure" and shape.name not in found:
            found[shape.name] = shape
            waiting += shape.members.values()
    return list(found.values())


def test_every_operation_and_member_has_a_row():
    named = {row[0] for row in rows(5)}
    members = set(re.findall(r"`([A-Za-z0-9.]+)`", " ".join(named)))
    assert named >= set(OPERATIONS)
    for operation in OPERATIONS:
        model = service_model().operation_model(operation)
        for kind, shape in (("request", model.input_shape), ("answer", model.output_shape)):
            for member in shape.members if shape else ():
                title = f"{kind} `{operation}.{member}`"
                required = ", required" if kind == "request" and member in shape.required_members else ""
                assert title + required in named, title
    missing = {f"{shape.name}.{member}" for shape in nested_shapes() for member in shape.members} - members
    assert not missing, sorted(missing)


def test_every_error_has_a_row():
    named = {row[0] for row in rows(5)}
    modelled = {shape.name for operation in OPERATIONS for shape in service_model().operation_model(operation).error_shapes}
    assert named >= modelled | FRONT_END_ERRORS


def test_every_row_names_its_source_and_a_test():
    for name, _, tests, _, source in rows(5):
        assert source in SOURCES, name
        assert tests or name == "users of a collection", name


def test_every_test_that_is_named_exists():
    named = set(re.findall(REFERENCE, DOCUMENT))
    assert len(named) > 50
    for reference in named:
        assert source_of(reference), reference


def test_a_test_of_a_member_speaks_of_it():
    members = [(member, tests) for name, _, tests, _, _ in rows(5) for member in re.findall(r"`\w+\.(\w+)`", name)]
    assert len(members) > 200
    for member, tests in members:
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", member).lower()
        spelling = re.compile(rf"\b(?:{member}|{snake}|{snake.replace('_', '-')})\b")
        assert any(spelling.search(source_of(reference)) for reference in re.findall(REFERENCE, tests)), (member, tests)


@lru_cache(maxsize=None)
def source_of(reference: str) -> str:
    """The text of a test, or of a whole file where no test is named; empty if there is no such test."""
    file, _, test = reference.partition("::")
    path = {"it": f"tests/{file}.rs", "clients": f"tests/{file}.py"}.get(file.split("/")[0], file)
    text = (ROOT / path).read_text()
    if not test:
        return text
    # A function ends where the next line begins without indentation, which in Rust is that of its closing brace.
    found = re.search(rf"^(?:async fn|fn|def) {test}\(.*?(?=^[^\s)]|\Z)", text, re.MULTILINE | re.DOTALL)
    return found.group() if found else ""
