"""What AWS's model constrains, as values that break it and the texts that AWS answers them with."""

import base64
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from model import OPERATIONS, python_pattern, service_model

FACE_ID = "f0e1d2c3-b4a5-4687-9788-a9bacbdcedfe"
IMAGE = {"Bytes": base64.b64encode(b"no image, but bytes").decode()}
# How many characters of a value an error repeats. AWS repeats all.
MOST_SHOWN = 1000
# A valid value of each shape that a pattern constrains, and one that only the pattern refuses.
SAMPLES = {
    "ClientRequestToken": ("token-1", "token 1"),
    "CollectionId": ("nothing-of-this-name", "a b"),
    "ExternalImageId": ("one:1.jpg", "one/1.jpg"),
    "FaceId": (FACE_ID, FACE_ID.upper()),
    "PaginationToken": ("token", None),
    "ResourceArn": ("aws:rekognition:eu-west-1:123456789012:collection/nothing-of-this-name", None),
    "S3Bucket": ("photos", "photos/2017"),
    "S3ObjectName": ("name", None),
    "S3ObjectVersion": ("1", None),
    "TagKey": ("team", "aws:team"),
    "TagValue": ("door", "door!"),
    "UserId": ("one", "one two"),
}


@dataclass
class Broken:
    """A value that breaks constraints of one member."""

    path: tuple[str, ...]
    value: object
    violations: list[str]

    def __str__(self):
        return ".".join(self.path) + " " + ", ".join(violation.split("constraint: ", 1)[1][:40] for violation in self.violations)


def valid(shape) -> object:
    """A value that satisfies all constraints of a shape; of a structure its required members."""
    match shape.type_name:
        case "string" if "enum" in shape.metadata:
            return shape.metadata["enum"][0]
        case "string":
            return SAMPLES[shape.name][0]
        case "integer" | "float":
            return shape.metadata.get("max", 1)
        case "list":
            return [valid(shape.member)]
        case "map":
            return {valid(shape.key): valid(shape.value)}
        case "structure" if shape.name == "Image":
            return IMAGE
        case "structure":
            return {name: valid(shape.members[name]) for name in shape.required_members}


def request(operation: str) -> dict:
    """A request with all required members, each of them valid."""
    return valid(service_model().operation_model(operation).input_shape)


def broken_members(operation: str) -> Iterator[Broken]:
    """Every member of an operation, in each way in which it can break the model."""
    shape = service_model().operation_model(operation).input_shape
    for name in shape.required_members:
        yield Broken((name,), None, [f"Value null at '{camel(name)}' failed to satisfy constraint: Member must not be null"])
    for name, member in shape.members.items():
        yield from broken_values((name,), member)


def broken_values(path: tuple[str, ...], shape) -> Iterator[Broken]:
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from broken_values((*path, name), member)
    for value in bad_values(shape):
        yield Broken(path, value, violations(path, shape, value))


def bad_values(shape) -> Iterator[object]:
    limits = shape.metadata
    least, most = limits.get("min"), limits.get("max")
    match shape.type_name:
        case "string" if "enum" in limits:
            yield from ("", limits["enum"][0].lower())
        case "string":
            if least:
                yield "x" * (least - 1)
            if most:
                yield "x" * (most + 1)
            if (bad := SAMPLES[shape.name][1]) is not None:
                yield bad
        case "blob":
            yield ""
            yield base64.b64encode(bytes(most + 1)).decode()
        case "integer" | "float":
            if least is not None:
                yield least - 1
            if most is not None:
                yield most + 1
            if shape.type_name == "float":
                yield from (100.05, -1e-3)
        case "list":
            if least:
                yield []
            if most:
                yield [valid(shape.member)] * (most + 1)
            yield from ([valid(shape.member), bad] for bad in bad_values(shape.member))
        case "map":
            yield {f"key{number}": "" for number in range(most + 1)}
            yield from ({bad: "x"} for bad in bad_values(shape.key))
            yield from ({"key": bad, "other": "good"} for bad in bad_values(shape.value))


def violations(path: tuple[str, ...], shape, value) -> list[str]:
    """All that the model says against a value, as AWS words it."""
    text = show(shape, value)
    text = text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "..."
    shown = f"Value '{text}' at '{'.'.join(camel(name) for name in path)}' failed to satisfy constraint: "
    return [shown + constraint for constraint in broken_constraints(shape, value)]


def broken_constraints(shape, value) -> Iterator[str]:
    limits = shape.metadata
    least, most = limits.get("min"), limits.get("max")
    if shape.type_name in ("integer", "float"):
        if most is not None and value > most:
            yield f"Member must have value less than or equal to {most}"
        if least is not None and value < least:
            yield f"Member must have value greater than or equal to {least}"
        return
    size = len(base64.b64decode(value)) if shape.type_name == "blob" else len(value)
    if "enum" in limits and value not in limits["enum"]:
        yield f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]"
    if "pattern" in limits and not re.fullmatch(python_pattern(limits["pattern"]), value):
        yield f"Member must satisfy regular expression pattern: {limits['pattern']}"
    if most is not None and size > most:
        yield f"Member must have length less than or equal to {most}"
    if least is not None and size < least:
        yield f"Member must have length greater than or equal to {least}"
    if shape.type_name == "list" and any(list(broken_constraints(shape.member, item)) for item in value):
        yield f"Member must satisfy constraint: {group(shape.member)}"
    if shape.type_name == "map":
        if any(list(broken_constraints(shape.key, key)) for key in value):
            yield f"Map keys must satisfy constraint: {group(shape.key)}"
        if any(list(broken_constraints(shape.value, item)) for item in value.values()):
            yield f"Map value must satisfy constraint: {group(shape.value)}"


def group(shape) -> str:
    """All constraints of the items of a list or map, broken or not."""
    limits = shape.metadata
    if "enum" in limits:
        return f"[Member must satisfy enum value set: [{', '.join(limits['enum'])}]]"
    parts = []
    if "max" in limits:
        parts.append(f"Member must have length less than or equal to {limits['max']}")
    if limits.get("min") is not None:
        parts.append(f"Member must have length greater than or equal to {limits['min']}")
    if "pattern" in limits:
        parts.append(f"Member must satisfy regular expression pattern: {limits['pattern']}")
    return f"[{', '.join(parts)}]"


def show(shape, value) -> str:
    """A value as AWS prints it."""
    match shape.type_name:
        case "blob":
            size = len(base64.b64decode(value))
            return f"java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]"
        case "list":
            return f"[{', '.join(value)}]"
        case "map":
            return "{" + ", ".join(f"{key}={item}" for key, item in value.items()) + "}"
        case "float":
            return show_float(value)
        case _:
            return str(value)


def show_float(value: float) -> str:
    """The shortest text that names the 32-bit float, with at least one digit behind the point, as Java prints it."""
    single = struct.unpack("f", struct.pack("f", value))[0]
    shortest = next(
        text for digits in range(1, 10) if struct.unpack("f", struct.pack("f", float(text := f"{single:.{digits}g}")))[0] == single
    )
    return repr(float(shortest))


def camel(name: str) -> str:
    return name[0].lower() + name[1:]


def cases() -> list[tuple[str, Broken]]:
    return [(operation, broken) for operation in OPERATIONS for broken in broken_members(operation)]
