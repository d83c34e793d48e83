"""What the plugin does where something is wrong, and beside other plugins."""

SUITE = """
    import pytest

    @pytest.mark.parametrize("attempt", range(4))
    def test_empty(rekognition, attempt):
        assert rekognition.list_collections()["CollectionIds"] == []
        rekognition.create_collection(CollectionId="staff")
"""


def test_a_run_has_one_server_and_every_test_an_account(pytester):
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess().assert_outcomes(passed=4)


def test_workers_of_xdist_do_not_meet(pytester):
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=4)


def test_a_running_server_is_used(pytester, monkeypatch, lookalike_server):
    monkeypatch.setenv("LOOKALIKE_URL", lookalike_server.url)
    monkeypatch.setenv("LOOKALIKE_BIN", "/nonexistent")
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess().assert_outcomes(passed=4)


def test_a_server_that_does_not_start_shows_its_log(pytester):
    pytester.makepyfile(SUITE)
    pytester.makeini("[pytest]\nlookalike_options = --pack nowhere")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines(["*there is no pack nowhere*"])
