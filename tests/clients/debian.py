"""SDKs that Debian packages: what is skipped where they are not installed."""

import shutil
import subprocess
from pathlib import Path

import botocore
import pytest

GO_PACKAGES = Path("/usr/share/gocode")
RUBY = Path(__file__).parent / "ruby"
MODEL = Path(botocore.__file__).parent / "data/rekognition/2016-06-27/service-2.json.gz"

needs_go = pytest.mark.skipif(
    shutil.which("go") is None
    or not (GO_PACKAGES / "src/github.com/aws/aws-sdk-go-v2/service/rekognition").is_dir(),
    reason="needs Debian's golang-go and golang-github-aws-aws-sdk-go-v2-dev",
)


def build_go(run, file: Path, folder: Path) -> Path:
    """Compiles a program against Debian's packages into a folder; the command."""
    variables = {
        "GO111MODULE": "off",
        "GOPATH": str(GO_PACKAGES),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "-p=2",
        # A missing module is an error, not a download.
        "GOPROXY": "off",
    }
    build = run("go", "build", "-o", folder / "main", file, timeout=600, **variables)
    assert build.returncode == 0, build.stderr
    return folder / "main"


def has_ruby() -> bool:
    """Whether there is a Ruby that has the SDK's core."""
    command = ["ruby", "-e", "gem 'aws-sdk-core', '>= 3.100'"]
    return (
        shutil.which("ruby") is not None
        and subprocess.call(command, stderr=subprocess.DEVNULL) == 0
    )


needs_ruby = pytest.mark.skipif(not has_ruby(), reason="needs Debian's ruby and ruby-aws-sdk-core")


def run_ruby(run, program: str, **variables: str):
    """Runs a program whose `require "aws-sdk-rekognition"` finds a client made from AWS's model."""
    return run("ruby", "-I", RUBY, "-e", program, REKOGNITION_MODEL=str(MODEL), **variables)
