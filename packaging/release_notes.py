#!/usr/bin/env python3
"""Print the changelog's entry for a tag: packaging/release_notes.py --tag v0.2.0 [--version]

Fails unless the tag, Cargo.toml and CHANGELOG.md name the same version. With --version only
`version=0.2.0` is printed.
"""

import argparse
import re
import sys

import archive
import prefix


def notes(version: str) -> str:
    """What the changelog has under the heading of this version."""
    text = (prefix.ROOT / "CHANGELOG.md").read_text()
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n"
    entry = re.search(heading + r"(.*?)(?=^## \[|^\[[^\]]+\]: |\Z)", text, re.DOTALL | re.MULTILINE)
    if entry is None:
        sys.exit(f"CHANGELOG.md has no entry `## [{version}] - DATE`: name the unreleased one so")
    return entry[1].strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", required=True)
    parser.add_argument("--version", action="store_true")
    options = parser.parse_args()
    version = archive.version()
    if options.tag != f"v{version}":
        sys.exit(f"the tag {options.tag} is not v{version}, the version in Cargo.toml")
    text = notes(version)
    print(f"version={version}" if options.version else text)


if __name__ == "__main__":
    main()
