"""Build the documents as a site: python3 tools/book.py OUTPUT [MDBOOK]

mdBook wants its pages in one folder. The repository keeps them where GitHub shows them, so this
copies what docs/SUMMARY.md lists, and the pictures, into such a folder; links between them stay
right. Links to the rest of the repository would lead nowhere on the site and lose their target.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
OUTSIDE = re.compile(r"^\[[^\]]+\]: \.\./\.\./.*\n", re.MULTILINE)
"""Definitions of links to pages beside the repository's files, such as its releases."""
PICTURES = {".png", ".svg", ".jpg", ".webp"}


def pages() -> list[Path]:
    """What the summary lists, below the root."""
    targets = [match[3] for match in LINK.finditer((DOCS / "SUMMARY.md").read_text())]
    return [(DOCS / target).resolve().relative_to(ROOT) for target in targets]


def stage(book: Path) -> None:
    listed = set(pages())
    written = {file.relative_to(ROOT) for file in DOCS.glob("*.md")} - {Path("docs/SUMMARY.md")}
    if written - listed:
        sys.exit(f"docs/SUMMARY.md does not list {', '.join(map(str, written - listed))}")
    for page in listed:
        text = OUTSIDE.sub("", (ROOT / page).read_text())
        text = LINK.sub(partial(kept, page, listed, book), text)
        (book / page).parent.mkdir(parents=True, exist_ok=True)
        (book / staged(page)).write_text(text)
    summary = (DOCS / "SUMMARY.md").read_text()
    (book / "SUMMARY.md").write_text(LINK.sub(from_root, summary))


def from_root(match: re.Match) -> str:
    page = (DOCS / match[3]).resolve().relative_to(ROOT)
    return f"[{match[2]}]({staged(page)})"


def staged(page: Path) -> Path:
    """mdBook makes an index.html of a README.md, and leaves links to it as they are."""
    return page.with_name("index.md") if page.name == "README.md" else page


def kept(page: Path, listed: set[Path], book: Path, match: re.Match) -> str:
    """A link as it is where it leads somewhere on the site, else its text; copies pictures."""
    target = match[3].partition("#")[0]
    if not target or ":" in target:
        return match[0]
    path = (ROOT / page.parent / target).resolve().relative_to(ROOT)
    if path.suffix in PICTURES:
        (book / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, book / path)
        return match[0]
    if path not in listed:
        return match[2]
    return match[0].replace(match[3], match[3].replace("README.md", "index.md"))


def main(output: Path, mdbook: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        book = Path(scratch)
        stage(book / "src")
        shutil.copyfile(DOCS / "book.toml", book / "book.toml")
        subprocess.run([mdbook, "build", "--dest-dir", output.absolute(), book], check=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) == 3 else "mdbook")
