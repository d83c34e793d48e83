"""The server as a process: how it takes bodies, stops and starts again."""

import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import threading
from urllib.parse import urlsplit

import pytest

import faces
from raw import JSON, RawClient
from server import BINARY, Server, environment

HEADERS = {"Content-Type": JSON, "X-Amz-Target": "RekognitionService.ListCollections"}


def test_a_chunked_body_is_taken(server):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
    chunks = iter([b'{"Max', b'Results"', b": 1}"])
    connection.request("POST", "/", body=chunks, headers=HEADERS, encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 200 and "CollectionIds" in json.loads(response.read())


def test_a_client_that_waits_to_be_told_to_go_on_is_told(server):
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        lines = [f"{name}: {value}" for name, value in HEADERS.items()]
        head = "\r\n".join(
            ["POST / HTTP/1.1", f"Host: {address.netloc}", *lines, "Content-Length: 2", "Expect: 100-continue", "", ""]
        )
        connection.sendall(head.encode())
        assert connection.recv(1024).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"{}")
        assert connection.recv(1024).startswith(b"HTTP/1.1 200 OK")


def test_one_connection_serves_many_calls(server):
    client = RawClient(server.url)
    sockets = set()
    for _ in range(3):
        assert client.call("ListCollections", {})[0] == 200
        sockets.add(client.connection.sock.getsockname())
    assert len(sockets) == 1


def test_a_request_under_way_is_finished_before_the_server_stops(start_server):
    server = start_server("--workers", "1")
    image = base64.b64encode(faces.portrait(1)).decode()
    answers = []

    connected = threading.Barrier(4)

    def detect():
        client = RawClient(server.url)
        client.connection.connect()
        connected.wait()
        answers.append(client.call("DetectFaces", {"Image": {"Bytes": image}})[0])

    calls = [threading.Thread(target=detect) for _ in range(4)]
    for call in calls:
        call.start()
    server.line("request answered")
    server.process.send_signal(signal.SIGTERM)
    for call in calls:
        call.join()
    assert answers == [200] * 4


def test_an_object_that_never_comes_does_not_keep_the_server_from_stopping(tmp_path, monkeypatch):
    keys = environment(AWS_ACCESS_KEY_ID="reader", AWS_SECRET_ACCESS_KEY="any")
    monkeypatch.setattr("server.environment", lambda: keys)
    with socket.create_server(("127.0.0.1", 0)) as store:
        store.settimeout(20)
        server = Server(tmp_path, "--s3", f"http://127.0.0.1:{store.getsockname()[1]}")
        call = threading.Thread(target=detect_in_s3, args=(server,), daemon=True)
        call.start()
        connection = asked_for(store, b"ana.jpg")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        connection.close()
        call.join()


def detect_in_s3(server):
    with contextlib.suppress(OSError, http.client.HTTPException):
        image = {"S3Object": {"Bucket": "photos", "Name": "ana.jpg"}}
        RawClient(server.url).call("DetectFaces", {"Image": image})


def asked_for(store, name):
    """The connection whose request names the object; others stay open without an answer."""
    others = []
    while True:
        connection, _ = store.accept()
        if name in connection.recv(4096):
            return connection
        others.append(connection)


def test_a_server_may_be_stopped_as_soon_as_it_is_ready(tmp_path):
    for _ in range(5):
        Server(tmp_path).stop()


def test_what_was_indexed_is_there_after_a_restart(tmp_path, connect):
    first = Server(tmp_path)
    rekognition = connect(first)
    rekognition.create_collection(CollectionId="staff", Tags={"team": "door"})
    indexed = rekognition.index_faces(CollectionId="staff", Image={"Bytes": faces.portrait(1, 1)}, ExternalImageId="one")
    [record] = indexed["FaceRecords"]
    rekognition.create_user(CollectionId="staff", UserId="one")
    rekognition.associate_faces(CollectionId="staff", UserId="one", FaceIds=[record["Face"]["FaceId"]])
    first.stop()

    second = Server(tmp_path)
    rekognition = connect(second)
    found = rekognition.search_faces_by_image(CollectionId="staff", Image={"Bytes": faces.portrait(1, 1)})["FaceMatches"]
    assert [(match["Face"]["FaceId"], match["Face"]["UserId"]) for match in found] == [(record["Face"]["FaceId"], "one")]
    users = rekognition.search_users(CollectionId="staff", FaceId=record["Face"]["FaceId"])["UserMatches"]
    assert [match["User"]["UserId"] for match in users] == ["one"]
    second.stop()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--pack", "nowhere"], "there is no pack nowhere in "),
        (["--pack", "nowhere"], ": `lookalike models list`"),
        (["--auth", "verify", "--credentials", "nowhere.toml"], "nowhere.toml"),
        (["--credentials", "nowhere.toml"], "nowhere.toml: No such file"),
        (["--auth", "open", "--credentials", "README.md"], "contradict each other"),
        (["--face-model-version", "9.9"], "9.9"),
        (["--limit", "IndexFaces"], "IndexFaces=50"),
        (["--workers", "5000"], "1..=1024"),
        (["--forward", "moto:5000"], "http://moto:5000"),
    ],
)
def test_what_cannot_be_started_says_why(run, tmp_path, options, told):
    result = run(BINARY, "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"), *options, timeout=30)
    assert result.returncode != 0
    assert told in result.stderr and "panicked" not in result.stderr, result.stderr


def test_a_data_folder_that_cannot_be_used_says_why_and_to_whom(run, tmp_path):
    (tmp_path / "file").touch()
    result = run(BINARY, "--listen", "127.0.0.1:0", "--data", str(tmp_path / "file" / "data"))
    assert result.returncode != 0
    for told in ["file/data", f"the user {os.geteuid()}", "Not a directory"]:
        assert told in result.stderr, result.stderr


def test_a_mistyped_variable_is_refused(run):
    result = run(BINARY, "--listen", "0", "--data", ":memory:", LOOKALIKE_WORKER="2")
    assert result.returncode != 0
    assert "did you mean LOOKALIKE_WORKERS?" in result.stderr, result.stderr


def test_a_mistyped_log_filter_keeps_the_log(tmp_path, monkeypatch):
    monkeypatch.setattr("server.environment", lambda: environment(LOOKALIKE_LOG="inof"))
    server = Server(tmp_path)
    assert "`inof` is no level" in server.line("LOOKALIKE_LOG is not understood: logging at info")["mistake"]
    server.stop()


def test_a_health_check_asks_a_running_server(server, run):
    address = urlsplit(server.url).netloc
    assert run(BINARY, "health", "--listen", address).returncode == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        result = run(BINARY, "health", "--listen", f"127.0.0.1:{free.getsockname()[1]}")
    assert result.returncode == 1 and "no answer from" in result.stderr


def test_nothing_is_reported_to_the_makers_of_onnx_runtime(tmp_path, monkeypatch):
    """Its official builds first write an id of the device below the home folder, then call home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (tmp_path / "home").mkdir()
    server = Server(tmp_path / "data")
    assert RawClient(server.url).call("ListCollections", {})[0] == 200
    server.stop()
    assert list((tmp_path / "home").iterdir()) == []
