"""What the log keeps of requests."""

import re
import time

import pytest

import faces
from conftest import ACCOUNT, REGION, index
from raw import RawClient

STAGES = ("queue_wait", "decode", "detect", "analyze", "embed", "inference", "store")


@pytest.fixture(scope="module")
def chatty(start_server):
    """A server of this module, whose log others do not write."""
    return start_server("--slow", "1ns")


@pytest.fixture(scope="module")
def indexed(chatty, connect):
    """The face that was indexed, and the request's id."""
    rekognition = connect(chatty)
    rekognition.create_collection(CollectionId="staff")
    answer = rekognition.index_faces(CollectionId="staff", Image={"Bytes": faces.portrait(1)}, ExternalImageId="secret-name")
    return answer["FaceRecords"][0]["Face"]["FaceId"], answer["ResponseMetadata"]["RequestId"]


def written(lines, count, seconds=10):
    """These many lines, as soon as they are there: the answer may be read before the log."""
    until = time.monotonic() + seconds
    while len(lines()) < count and time.monotonic() < until:
        time.sleep(0.01)
    return lines()


def lines_of(server, request_id, count):
    return written(lambda: [line for line in server.log if line.get("request_id") == request_id], count)


def test_a_line_has_who_what_and_where_the_time_went(chatty, indexed):
    line, audit = lines_of(chatty, indexed[1], 2)
    assert (line["level"], line["message"], line["operation"], line["status"]) == ("WARN", "request was slow", "IndexFaces", 200)
    assert (line["account"], line["region"], line["access_key_id"]) == (ACCOUNT, REGION, ACCOUNT)
    assert (line["collection"], line["faces"], line["client"].split(":")[0]) == ("staff", 1, "127.0.0.1")
    assert line["bytes"] > 1000 and re.fullmatch(r"\d+x\d+", line["image"])
    times = [line[f"{stage}_ms"] for stage in STAGES]
    assert all(time == round(time, 3) and 0 <= time < line["milliseconds"] for time in times)
    assert line["inference_ms"] < line["detect_ms"] + line["analyze_ms"] + line["embed_ms"]
    assert sum(times) - line["inference_ms"] <= line["milliseconds"]
    assert audit["target"] == "lookalike::audit"


def test_a_change_names_who_changed_what(chatty, indexed, connect):
    face, request_id = indexed
    rekognition = connect(chatty)
    rekognition.create_user(CollectionId="staff", UserId="alice")
    rekognition.associate_faces(CollectionId="staff", UserId="alice", FaceIds=[face])
    rekognition.disassociate_faces(CollectionId="staff", UserId="alice", FaceIds=[face])
    rekognition.search_faces(CollectionId="staff", FaceId=face)
    rekognition.delete_faces(CollectionId="staff", FaceIds=[face])
    changes = written(lambda: [line for line in chatty.log if line["target"] == "lookalike::audit"], 6)
    shown = [(line["operation"], line.get("faces"), line.get("changed_user")) for line in changes]
    assert shown == [
        ("CreateCollection", None, None),
        ("IndexFaces", face, None),
        ("CreateUser", None, "alice"),
        ("AssociateFaces", face, "alice"),
        ("DisassociateFaces", face, "alice"),
        ("DeleteFaces", face, None),
    ]
    assert all((line["account"], line["collection"]) == (ACCOUNT, "staff") for line in changes)


def test_a_search_shows_the_best_similarity(chatty, connect):
    rekognition = connect(chatty)
    rekognition.create_collection(CollectionId="searched")
    index(rekognition, "searched", faces.portrait(2))
    answer = rekognition.search_faces_by_image(CollectionId="searched", Image={"Bytes": faces.portrait(2)})
    line, = lines_of(chatty, answer["ResponseMetadata"]["RequestId"], 1)
    assert line["top_similarity"] == pytest.approx(answer["FaceMatches"][0]["Similarity"], abs=0.001)
    assert line["search_ms"] >= 0


def test_neither_names_nor_images_are_logged(chatty, indexed):
    assert indexed and "secret-name" not in str(chatty.log)
    assert all(len(str(line)) < 2000 for line in chatty.log)


def test_probes_are_for_those_who_debug(chatty):
    raw = RawClient(chatty.url)
    raw.connection.request("GET", "/")
    assert raw.connection.getresponse().read() and raw.call("ListCollections", {})[0] == 200
    assert all(line.get("operation") != "-" for line in chatty.log)
