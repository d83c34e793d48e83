"""AWS's own model of the API, as botocore ships it, and what it says of a response."""

import json
import re
import struct
from functools import lru_cache

import botocore.session
from botocore.model import ServiceModel

OPERATIONS = [
    "CreateCollection", "DeleteCollection", "DescribeCollection", "ListCollections",
    "TagResource", "UntagResource", "ListTagsForResource",
    "IndexFaces", "ListFaces", "DeleteFaces", "DetectFaces", "CompareFaces", "SearchFaces", "SearchFacesByImage",
    "CreateUser", "DeleteUser", "ListUsers", "AssociateFaces", "DisassociateFaces", "SearchUsers", "SearchUsersByImage",
]  # fmt: skip

# The model requires no member of any output. On AWS all of them are there but these.
ATTRIBUTES = {
    "AgeRange", "Smile", "Eyeglasses", "Sunglasses", "Gender", "Beard", "Mustache", "EyesOpen", "MouthOpen", "Emotions",
    "FaceOccluded", "EyeDirection",
}  # fmt: skip
OPTIONAL = {
    "Face": {"ExternalImageId", "UserId"},
    "FaceDetail": ATTRIBUTES,
    "ListCollectionsResponse": {"NextToken"},
    "ListFacesResponse": {"NextToken"},
    "ListUsersResponse": {"NextToken"},
    "SearchUsersResponse": {"SearchedFace", "SearchedUser"},
    "SearchUsersByImageResponse": {"SearchedFace"},
    "UnsuccessfulFaceAssociation": {"UserId", "Confidence"},
    "UnsuccessfulFaceDisassociation": {"UserId"},
    "UnsuccessfulFaceDeletion": {"UserId"},
}
# And these never are, with a face model above 3.0.
NEVER = {
    "IndexFacesResponse": {"OrientationCorrection"},
    "DetectFacesResponse": {"OrientationCorrection"},
    "CompareFacesResponse": {"SourceImageOrientationCorrection", "TargetImageOrientationCorrection"},
    "ComparedFace": {"Emotions", "Smile"},
}
NEVER_OF_A_FRESH_FACE = {"IndexFacesModelVersion", "UserId"}

# Errors that AWS's front end raises, which the model does not know.
FRONT_END_ERRORS = {
    "ExpiredTokenException", "IncompleteSignatureException", "InvalidSignatureException", "MissingAuthenticationTokenException",
    "SerializationException", "UnknownOperationException", "UnrecognizedClientException", "ValidationException",
}  # fmt: skip
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@lru_cache
def service_model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("rekognition")


def check_response(operation: str, status: int, headers: dict, body: bytes) -> None:
    """Fails when a response is not what AWS's model and documentation say of this operation."""
    assert headers["content-type"] == "application/x-amz-json-1.1"
    request_id = headers["x-amzn-requestid"]
    assert UUID.fullmatch(request_id), request_id
    value = json.loads(body)
    model = service_model().operation_model(operation)
    if status == 200:
        Checker(operation).structure(model.output_shape, value, operation)
    else:
        check_error({shape.name for shape in model.error_shapes}, status, request_id, value)


def check_error(modelled: set[str], status: int, request_id: str, value: dict) -> None:
    code = value["__type"]
    assert status == (500 if code in ("InternalServerError", "ThrottlingException") else 400), (status, code)
    if code in FRONT_END_ERRORS:
        key = "Message" if code == "SerializationException" else "message"
        assert value.keys() <= {"__type", key}, value
        return
    assert code in modelled, f"{code} is none of {sorted(modelled)}"
    assert value.keys() == {"__type", "Code", "Logref", "Message"}, value
    assert (value["Code"], value["Logref"]) == (code, request_id)
    assert value["Message"]


class Checker:
    """Walks a response along the model's shapes."""

    def __init__(self, operation: str):
        self.operation = operation

    def value(self, shape, value, path: str) -> None:
        check = getattr(self, shape.type_name, None) or getattr(self, f"{shape.type_name}_")
        check(shape, value, path)
        self.constraints(shape, value, path)

    def structure(self, shape, value, path: str) -> None:
        assert isinstance(value, dict), f"{path} is {value!r}"
        never = NEVER.get(shape.name, set())
        if shape.name == "Face" and self.operation == "IndexFaces":
            never = NEVER_OF_A_FRESH_FACE
        allowed = shape.members.keys() - never
        assert value.keys() <= allowed, f"{path} has members that do not belong there: {sorted(value.keys() - allowed)}"
        missing = allowed - OPTIONAL.get(shape.name, set()) - value.keys()
        assert not missing, f"{path} lacks {sorted(missing)}"
        for name, member in value.items():
            self.value(shape.members[name], member, f"{path}.{name}")
        if shape.name == "Face" and self.operation != "IndexFaces":
            check_stored(value, path)

    def list_(self, shape, value, path: str) -> None:
        assert isinstance(value, list), f"{path} is {value!r}"
        for index, item in enumerate(value):
            self.value(shape.member, item, f"{path}[{index}]")

    def map_(self, shape, value, path: str) -> None:
        assert isinstance(value, dict), f"{path} is {value!r}"
        for key, item in value.items():
            self.value(shape.key, key, f"{path} key")
            self.value(shape.value, item, f"{path}[{key}]")

    def string(self, shape, value, path: str) -> None:
        assert isinstance(value, str), f"{path} is {value!r}"

    def boolean(self, shape, value, path: str) -> None:
        assert isinstance(value, bool), f"{path} is {value!r}"

    def integer(self, shape, value, path: str) -> None:
        assert type(value) is int, f"{path} is {value!r}"

    long = integer

    def float_(self, shape, value, path: str) -> None:
        # Whole numbers are printed with `.0`, and all are 32-bit floats widened to 64 bits.
        assert isinstance(value, float), f"{path} is {value!r}"
        in_eye_direction = path.endswith(("EyeDirection.Yaw", "EyeDirection.Pitch"))
        assert in_eye_direction or to_f32(value) == value, f"{path} is {value!r}, which is no 32-bit float"

    def timestamp(self, shape, value, path: str) -> None:
        assert isinstance(value, float) and 1.6e9 < value < 1e10, f"{path} is {value!r}, not seconds since 1970"
        assert round(value, 3) == value, f"{path} is {value!r}, finer than milliseconds"

    def constraints(self, shape, value, path: str) -> None:
        limits = shape.metadata
        size = len(value) if isinstance(value, (str, list, dict)) else value
        # An answer may be an empty list of a shape that a request has to fill: DeletedFaces shares its shape with FaceIds.
        assert isinstance(value, list) or size >= limits.get("min", size), f"{path} is {value!r}, less than {limits.get('min')}"
        assert size <= limits.get("max", size), f"{path} is {value!r}, more than {limits.get('max')}"
        if "enum" in limits:
            assert value in limits["enum"], f"{path} is {value!r}"
        if "pattern" in limits:
            assert re.fullmatch(python_pattern(limits["pattern"]), value), f"{path} is {value!r}"


def check_stored(face: dict, path: str) -> None:
    """A collection gives numbers back with six significant digits."""
    numbers = [face["Confidence"], *face["BoundingBox"].values()]
    assert all(to_f32(float(f"{number:.5e}")) == number for number in numbers), f"{path} has more than six digits: {numbers}"


def to_f32(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def python_pattern(pattern: str) -> str:
    """A pattern of the model in Python's dialect, which knows Unicode only by `\\w` and `\\s`."""
    return pattern.replace(r"\p{L}", r"\w").replace(r"\p{Z}", r"\s").replace(r"\p{N}", r"\d")
