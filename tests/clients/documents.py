"""The Markdown documents of the repository: their code blocks and their links."""

import re
from dataclasses import dataclass
from pathlib import Path

from server import ROOT

PUBLIC_ADDRESS = "http://localhost:9340"
FENCE = re.compile(
    r"^(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.DOTALL | re.MULTILINE
)
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
IMAGE = re.compile(r"<img[^>]+src=\"([^\"]+)\"")


@dataclass
class Block:
    """A code block: its language, the other words after the fence, and its text."""

    language: str
    marks: list[str]
    text: str


def documents() -> list[Path]:
    """All that a reader may come across, but for what other tools keep."""
    skipped = {"target", "node_modules", ".cache", "dist"}
    files = (file for file in ROOT.rglob("*.md") if not skipped & set(file.relative_to(ROOT).parts))
    return sorted(files)


def blocks(file: Path) -> list[Block]:
    found = []
    for match in FENCE.finditer(file.read_text()):
        language, *marks = match["info"].split() or [""]
        found.append(Block(language, marks, match["body"]))
    return found


def links(file: Path) -> list[str]:
    """The targets of links and pictures, those in code left out."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", file.read_text()))
    return LINK.findall(prose) + IMAGE.findall(prose)


def anchors(file: Path) -> set[str]:
    """The fragments of a document's headings, as GitHub and mdBook make them."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", file.read_text())):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        number = sum(
            other == anchor or re.fullmatch(rf"{re.escape(anchor)}-\d+", other) is not None
            for other in found
        )
        found.add(f"{anchor}-{number}" if number else anchor)
    return found
