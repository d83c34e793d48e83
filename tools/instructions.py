"""Count the instructions of hot paths with valgrind, and compare them with benches/instructions.toml.

    python tools/instructions.py            # fails where a path takes 3 % more or fewer
    python tools/instructions.py --write    # writes the table, after a change that is meant

Counts depend on the compiler and on the library versions, and not on what else the machine does.
Valgrind shows every x86-64 processor as one with AVX2, so the kernels for that are counted.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "benches" / "instructions.toml"
TOLERANCE = 0.03
# By package: each path, and how often it runs; the difference of two runs leaves the start out.
PATHS = {
    "aws-json": {"verify": (20, 40), "open": (200, 400)},
    "lookalike-search": {"scan": (20, 40), "insert": (2000, 4000), "user_vector": (200, 400)},
    "lookalike-vision": {"jpeg": (2, 4), "progressive_jpeg": (2, 4), "png": (2, 4)},
}
HEADER = f"""\
# Instructions of one turn of a path, as `make instructions` counts them on x86-64 with AVX2. A change
# by more than {TOLERANCE:.0%} fails there: mend it, or write the table again with
# `make instructions ARGS=--write` and say in the commit why.
"""


def build() -> dict[str, str]:
    """The benchmark program of each package."""
    command = ["cargo", "bench", "--locked", "--no-run", "--bench", "instructions", "--message-format", "json", "--features", "lookalike-search/testing"]
    for package in PATHS:
        command += ["--package", package]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    programs = {}
    for line in output.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "instructions":
            programs[Path(message["manifest_path"]).parent.name] = message["executable"]
    return {package: programs[package.removeprefix("lookalike-")] for package in PATHS}


def count(program: str, path: str, times: int) -> int:
    """The instructions of a whole run."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, path, str(times)]
    # The length of the environment moves the stack, and with it what is aligned.
    run = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode or not found:
        sys.exit(f"{' '.join(command)} failed:\n{run.stderr}")
    return int(found[1])


def measure(program: str, path: str, times: tuple[int, int]) -> int:
    """The instructions of one turn."""
    few, many = times
    return round((count(program, path, many) - count(program, path, few)) / (many - few))


def write(paths: list[tuple], counts: list[int]) -> None:
    """Writes the table."""
    text = HEADER
    for package in PATHS:
        text += f"\n[{package}]\n"
        text += "".join(f"{path} = {now:_}\n" for (of, path, _), now in zip(paths, counts) if of == package)
    TABLE.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the table")
    options = parser.parse_args()
    if platform.machine() != "x86_64":
        sys.exit("the table holds for x86-64 only")
    if not shutil.which("valgrind"):
        sys.exit("there is no valgrind: install the package of that name")
    programs = build()
    paths = [(package, path, times) for package, of in PATHS.items() for path, times in of.items()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = list(pool.map(lambda each: measure(programs[each[0]], *each[1:]), paths))
    if options.write:
        write(paths, counts)
        return
    table = tomllib.loads(TABLE.read_text())
    failed = []
    for (package, path, _), now in zip(paths, counts):
        before = table[package][path]
        change = now / before - 1
        print(f"{package:18}{path:18}{before:>14,}{now:>14,}{change:>+9.2%}")
        if abs(change) > TOLERANCE:
            failed.append(path)
    if failed:
        sys.exit(f"{', '.join(failed)}: changed by more than {TOLERANCE:.0%}; see {TABLE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
