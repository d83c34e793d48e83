"""examples/observability, with a real Prometheus."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

import faces
from conftest import index
from server import ROOT

EXAMPLES = ROOT / "examples" / "observability"
STATE = re.compile(r"_(bucket|sum|count|total|info)$")


def tool(name: str) -> str:
    """A program of Debian's package `prometheus`; CI has to have it."""
    path = shutil.which(name)
    if path is None and not os.environ.get("CI"):
        pytest.skip(f"{name} is not installed: apt-get install prometheus")
    assert path, f"{name} is not installed"
    return path


@pytest.fixture(scope="module")
def prometheus(server, rekognition, tmp_path_factory):
    """A Prometheus with the example's configuration that has scraped the server; answers queries."""
    rekognition.create_collection(CollectionId="observed")
    index(rekognition, "observed", faces.portrait(1))
    rekognition.search_faces_by_image(CollectionId="observed", Image={"Bytes": faces.portrait(1)})
    folder = tmp_path_factory.mktemp("prometheus")
    config = (EXAMPLES / "prometheus.yml").read_text()
    config = config.replace("15s", "1s").replace("localhost:9340", server.url.removeprefix("http://"))
    (folder / "prometheus.yml").write_text(config)
    shutil.copy(EXAMPLES / "alerts.yml", folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [tool("prometheus"), "--config.file=prometheus.yml", f"--web.listen-address={address}", "--storage.tsdb.path=data"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)

    def query(expression: str) -> list:
        url = f"http://{address}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]["result"]

    until = time.monotonic() + 60
    while True:
        try:
            if query("up == 1 and on() (lookalike_faces > 0)"):
                break
        except urllib.error.URLError:
            pass
        assert process.poll() is None and time.monotonic() < until, "Prometheus did not scrape the server"
        time.sleep(0.2)
    yield query
    process.terminate()
    process.wait(20)
    rekognition.delete_collection(CollectionId="observed")


def test_the_rules_are_sound_and_fire_when_they_should():
    for command in (["check", "config", "prometheus.yml"], ["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        result = subprocess.run([tool("promtool"), *command], cwd=EXAMPLES, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("accept", ["application/openmetrics-text", "text/plain"])
def test_the_metrics_are_sound(server, accept):
    request = urllib.request.Request(f"{server.url}/metrics", headers={"Accept": accept})
    text = urllib.request.urlopen(request, timeout=10).read()
    if accept == "text/plain":
        result = subprocess.run([tool("promtool"), "check", "metrics"], input=text, capture_output=True)
        assert result.returncode == 0, result.stderr.decode()
    else:
        assert text.endswith(b"# EOF\n")


def test_prometheus_takes_the_metrics(prometheus):
    [seen] = prometheus('sum(lookalike_operation_duration_seconds_count{operation="IndexFaces",code="ok"})')
    assert float(seen["value"][1]) >= 1
    assert prometheus("lookalike_search_top_similarity_bucket") and prometheus("process_cpu_seconds_total")
    assert not prometheus("ALERTS"), "nothing is wrong with this server"


def test_rules_dashboard_and_docs_name_metrics_that_there_are(prometheus):
    there = {series["metric"]["__name__"] for series in prometheus('{job="lookalike"}')}
    there |= {STATE.sub("", name) for name in there}
    # Nothing was throttled or refused, so these have no value yet.
    there |= {"lookalike_inference_rejected_total", "lookalike_auth_failures_total"}
    there |= {"lookalike_faces_unindexed_total", "lookalike_s3_request_duration_seconds"}
    dashboard = json.loads((EXAMPLES / "grafana.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    texts = [*expressions, (EXAMPLES / "alerts.yml").read_text(), (ROOT / "docs" / "OBSERVABILITY.md").read_text()]
    named = set(re.findall(r"\b(?:lookalike|http_server|process)_[a-z0-9_]+[a-z0-9]", "\n".join(texts)))
    assert len(named) > 30
    assert {name for name in named if name not in there and STATE.sub("", name) not in there} == set()
    for expression in expressions:
        prometheus(expression.replace("$__rate_interval", "1m").replace("$instance", ".*"))
