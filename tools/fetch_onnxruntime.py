"""Put the pinned ONNX Runtime library into a folder: python3 tools/fetch_onnxruntime.py FOLDER

The library is part of the Python wheel that pip downloads; its hash is checked against tools/onnxruntime.txt.
"""

import pathlib
import platform
import subprocess
import sys
import tempfile
import zipfile

PLATFORMS = {
    ("Linux", "x86_64"): "manylinux_2_28_x86_64",
    ("Linux", "aarch64"): "manylinux_2_28_aarch64",
    ("Darwin", "arm64"): "macosx_14_0_arm64",
}


def main(folder: pathlib.Path) -> None:
    machine = (platform.system(), platform.machine())
    if machine not in PLATFORMS:
        sys.exit(f"There is no pinned ONNX Runtime for {' '.join(machine)}: set ORT_DYLIB_PATH to a library of your own.")
    requirements = pathlib.Path(__file__).with_name("onnxruntime.txt")
    with tempfile.TemporaryDirectory() as download:
        # fmt: off
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--only-binary=:all:", "--implementation=cp", "--python-version=3.12", "--abi=cp312",
             f"--platform={PLATFORMS[machine]}", "--require-hashes", f"--requirement={requirements}", f"--dest={download}"],
            check=True,
        )
        # fmt: on
        [wheel] = pathlib.Path(download).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            [member] = [name for name in archive.namelist() if "/libonnxruntime." in name]
            suffix = ".dylib" if member.endswith(".dylib") else ".so"
            folder.mkdir(parents=True, exist_ok=True)
            # Whoever passes the library on has to pass these on too.
            for name in ("LICENSE", "ThirdPartyNotices.txt"):
                (folder / name).write_bytes(archive.read(f"onnxruntime/{name}"))
            part = folder / "libonnxruntime.part"
            part.write_bytes(archive.read(member))
            part.rename(folder / f"libonnxruntime{suffix}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
