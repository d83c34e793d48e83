"""The scripts of examples/migrate, between servers of this project and small servers that stand for others."""

import csv
import importlib.util
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from conftest import REGION
from faces import group, nobody, portrait
from server import ROOT

SCRIPTS = ROOT / "examples" / "migrate"


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def serve():
    """Serves what `answer` returns for a path, a query and headers: status and bytes."""
    running = []

    def serve(answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                url = urlsplit(self.path)
                status, body = answer(unquote(url.path), parse_qs(url.query), self.headers)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        running.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{running[-1].server_port}"

    yield serve
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def keys(monkeypatch):
    """The keys and the region that boto3 finds."""
    for name, value in {"ACCESS_KEY_ID": "123456789012", "SECRET_ACCESS_KEY": "any", "DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def bucket(serve):
    """A bucket, served as S3 serves objects; absent keys are answered as S3 does."""
    objects: dict[str, bytes] = {}
    missing = b"<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"

    def answer(path, _query, _headers):
        key = path.removeprefix("/photos/")
        return (200, objects[key]) if key in objects else (404, missing)

    return objects, serve(answer)


def associate(rekognition, user: str, faces: list[str]) -> None:
    rekognition.create_user(CollectionId="staff", UserId=user)
    rekognition.associate_faces(CollectionId="staff", UserId=user, FaceIds=faces, UserMatchThreshold=0)


def index(rekognition, image: bytes, **options) -> list[str]:
    answer = rekognition.index_faces(CollectionId="staff", Image={"Bytes": image}, QualityFilter="NONE", **options)
    return [record["Face"]["FaceId"] for record in answer["FaceRecords"]]


def shown(rekognition) -> list:
    """The faces of a collection without their ids, in an order of their own."""
    faces = rekognition.list_faces(CollectionId="staff")["Faces"]
    told = [(face.get("ExternalImageId"), face.get("UserId"), json.dumps(face["BoundingBox"])) for face in faces]
    return sorted(told, key=str)


def test_an_aws_account_is_moved_and_the_move_goes_on_after_an_interruption(start_server, connect, keys, bucket, tmp_path, capsys):
    objects, s3 = bucket
    source, target = start_server(), start_server()
    old, new = connect(source), connect(target)
    old.create_collection(CollectionId="staff", Tags={"team": "red"})
    old.create_collection(CollectionId="empty")
    objects["ann.jpg"], objects["many.jpg"], objects["by/id.jpg"] = portrait(1), group(120, 140, 160), portrait(2)
    ann = index(old, objects["ann.jpg"], ExternalImageId="ann")
    many = index(old, objects["many.jpg"], ExternalImageId="many")
    (plain,) = index(old, objects["by/id.jpg"])
    index(old, portrait(3), ExternalImageId="lost")
    associate(old, "ann", ann)
    associate(old, "some", many[:2])
    old.create_user(CollectionId="staff", UserId="nobody")
    # A face that is not kept there is not kept here.
    old.delete_faces(CollectionId="staff", FaceIds=many[2:])
    image = next(face["ImageId"] for face in old.list_faces(CollectionId="staff")["Faces"] if face["FaceId"] == plain)
    places = tmp_path / "map.csv"
    places.write_text(f"id,bucket,key\n{image},photos,by/id.jpg\n")

    state, ids = tmp_path / "state.jsonl", tmp_path / "ids.csv"
    arguments = ["--source", source.url, "--target", target.url, "--s3", s3, "--bucket", "photos", "--key", "{ExternalImageId}.jpg"]
    arguments += ["--map", str(places), "--state", str(state), "--face-ids", str(ids)]
    from_aws = script("from_aws")
    many_bytes = objects.pop("many.jpg")
    assert from_aws.main(arguments) == 1
    told = capsys.readouterr()
    assert "2 images moved, 2 not found" in told.out and "staff/many: " in told.err and "NoSuchKey" in told.err

    # The last line was cut short when the script was killed.
    state.write_text(state.read_text() + '{"collection": "sta')
    objects["many.jpg"], objects["lost.jpg"] = many_bytes, portrait(3)
    assert from_aws.main(arguments) == 0
    assert sorted(new.list_collections()["CollectionIds"]) == ["empty", "staff"]
    assert shown(new) == shown(old)
    assert [user["UserId"] for user in new.list_users(CollectionId="staff")["Users"]] == ["ann", "some", "nobody"]
    arn = new.describe_collection(CollectionId="staff")["CollectionARN"]
    assert new.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"team": "red"}
    with ids.open(newline="") as file:
        pairs = {row["old"]: row["new"] for row in csv.DictReader(file)}
    assert len(pairs) == 5 and set(pairs.values()) == {face["FaceId"] for face in new.list_faces(CollectionId="staff")["Faces"]}
    user = {face["FaceId"]: face.get("UserId") for face in new.list_faces(CollectionId="staff")["Faces"]}
    assert user[pairs[ann[0]]] == "ann" and user[pairs[plain]] is None
    # A third run changes nothing.
    before = new.list_faces(CollectionId="staff")["Faces"]
    assert from_aws.main(arguments) == 0
    assert new.list_faces(CollectionId="staff")["Faces"] == before


class CompreFace:
    """Answers as CompreFace's recognition service does where the script calls it; pages hold two examples at most."""

    def __init__(self):
        self.examples: dict[str, tuple[str, bytes]] = {}
        self.subjects = ["Zoë", "Zo-", "without examples"]

    def add(self, number: int, subject: str, image: bytes) -> str:
        self.examples[name := f"6b135f5b-a365-4522-b1f1-{number:012}"] = (subject, image)
        return name

    def answer(self, path: str, query: dict, headers) -> tuple[int, bytes]:
        if headers["x-api-key"] != "the-key":
            return 401, b'{"message": "Given apiKey is not valid", "code": 25}'
        base = "/api/v1/recognition/"
        if path == f"{base}subjects/":
            return 200, json.dumps({"subjects": self.subjects}).encode()
        if path == f"{base}faces":
            page, size = int(query["page"][0]), min(int(query["size"][0]), 2)
            all_faces = [{"image_id": image, "subject": subject} for image, (subject, _) in self.examples.items()]
            pages = -(-len(all_faces) // size)
            body = {"faces": all_faces[page * size :][:size], "page_number": page, "page_size": size}
            return 200, json.dumps(body | {"total_pages": pages, "total_elements": len(all_faces)}).encode()
        name = Path(path).parent.name
        return (200, self.examples[name][1]) if name in self.examples else (404, b'{"message": "not found"}')


def test_a_compreface_collection_is_moved_once(server, connect, keys, serve, capsys):
    source = CompreFace()
    for number, (subject, image) in enumerate([("Zoë", portrait(1)), ("Zoë", portrait(1, 1)), ("Zo-", portrait(2))]):
        source.add(number, subject, image)
    source.add(9, "Zo-", nobody())
    arguments = ["--source", serve(source.answer), "--api-key", "the-key", "--target", server.url]
    arguments += ["--region", REGION, "--collection", "compreface"]
    from_compreface = script("from_compreface")
    assert from_compreface.main(arguments) == 1
    told = capsys.readouterr()
    assert "3 users, 3 faces, 1 examples refused" in told.out and "Zo-/6b135f5b" in told.err
    rekognition = connect(server)
    owners = lambda: {face["ExternalImageId"][-1]: face.get("UserId") for face in rekognition.list_faces(CollectionId="compreface")["Faces"]}
    assert owners() == {"0": "Zo_", "1": "Zo_", "2": "Zo-"}
    statuses = {user["UserId"]: user["UserStatus"] for user in rekognition.list_users(CollectionId="compreface")["Users"]}
    assert statuses == {"Zo_": "ACTIVE", "Zo-": "ACTIVE", "without_examples": "CREATED"}

    # Run again, with one more example.
    source.add(3, "Zo-", portrait(2, 1))
    before = {face["FaceId"] for face in rekognition.list_faces(CollectionId="compreface")["Faces"]}
    assert from_compreface.main(arguments) == 1
    after = {face["FaceId"] for face in rekognition.list_faces(CollectionId="compreface")["Faces"]}
    assert before < after and len(after) == 4 and owners()["3"] == "Zo-"


def test_subjects_that_would_get_one_id_get_two():
    user_ids = script("from_compreface").user_ids
    assert user_ids(["a b", "a_b", "ok", "ü" * 200]) == {"a b": "a_b", "a_b": "a_b-2", "ok": "ok", "ü" * 200: "_" * 120}
