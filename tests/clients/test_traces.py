"""Traces, with a collector that keeps what it gets."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import faces
from conftest import index
from raw import RawClient

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def collector(monkeypatch):
    """A collector of OTLP over HTTP, named by the environment; the bodies of its requests."""
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield bodies
    server.shutdown()


def test_calls_and_their_stages_reach_a_collector(collector, tmp_path, connect):
    from server import Server

    server = Server(tmp_path)
    rekognition = connect(server)
    rekognition.meta.events.register("before-sign", lambda request, **_: request.headers.add_header("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"))
    rekognition.create_collection(CollectionId="staff")
    index(rekognition, "staff", faces.portrait(1))
    assert RawClient(server.url).call("DetectFaces", {})[0] == 400
    server.stop()
    server.line("stopped")
    sent = b"".join(collector)
    for text in (b"lookalike", b"service.version", b"Rekognition/CreateCollection", b"Rekognition/IndexFaces", b"Rekognition/DetectFaces"):
        assert text in sent, text
    for stage in (b"queue_wait", b"decode", b"detect", b"inference", b"analyze", b"embed", b"store"):
        assert stage in sent, stage
    assert sent.count(bytes.fromhex(TRACE)) > 8, "calls and stages are below the span of the caller"
    assert b"ValidationException" in sent and b"staff" not in sent
    lines = [line for line in server.log if line.get("operation") == "IndexFaces"]
    assert {line.get("trace_id") for line in lines if line["target"] == "lookalike::request"} == {TRACE}
