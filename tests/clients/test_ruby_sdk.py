"""The core of the AWS SDK for Ruby, as Debian packages it, with a client of AWS's own model."""

from debian import RUBY, needs_ruby, run_ruby
from test_javascript import save_pictures


@needs_ruby
def test_the_ruby_sdk(server, run, tmp_path):
    program = (RUBY / "flow.rb").read_text()
    pictures = save_pictures(tmp_path)
    result = run_ruby(run, program, LOOKALIKE_URL=server.url, LOOKALIKE_FACES=str(pictures))
    assert (result.returncode, result.stdout) == (0, "1 passed\n"), result.stderr
