"""The command `recipe`: one subcommand for each step from images to a pack."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib import import_module

STEPS = {
    "prepare": ("recipe.prepare", "detect, align and cache every face, once"),
    "embed-clean": ("recipe.embedder.targets", "the teacher's vectors of the clean faces"),
    "train-blocks": ("recipe.embedder.blocks", "train the embedder's blocks, each by itself"),
    "train-embedder": ("recipe.embedder.train", "train the embedder whole"),
    "look": ("recipe.detector.photographs", "let the teacher look at photographs several times"),
    "mine": ("recipe.detector.mine", "find what the pack's detector wrongly takes for faces"),
    "train-detector-blocks": ("recipe.detector.blocks", "train the detector by parts"),
    "train-detector": ("recipe.detector.train", "train the detector whole"),
    "ask-teachers": ("recipe.analyzer.teachers", "run the analyzer's teachers over the cache"),
    "label": ("recipe.analyzer.labels", "merge labels and the teachers' answers"),
    "train-analyzer": ("recipe.analyzer.train", "train the analyzer"),
    "export-analyzer": ("recipe.analyzer.export", "calibrate the analyzer and write its ONNX"),
    "export-detector": ("recipe.detector.export", "write the detector's ONNX"),
    "cut-nonfaces": ("recipe.embedder.nonfaces", "cut crops from photos without people"),
    "solve-embedder": ("recipe.embedder.solve", "solve the last layer for damaged faces"),
    "export-embedder": ("recipe.embedder.export", "write the embedder's ONNX"),
    "quantize-embedder": ("recipe.embedder.quantize", "make it compute with 8-bit integers"),
    "calibrate-embedder": ("recipe.embedder.calibrate", "fit the weights of views and Similarity"),
    "propose": ("recipe.verifier.views", "cut out what detectors find"),
    "train-verifier": ("recipe.verifier.train", "train the verifier on it"),
    "export-verifier": ("recipe.verifier.export", "write the verifier's ONNX and fit Confidence"),
    "evaluate": ("recipe.pack.evaluate", "measure the pack on held-out images"),
    "pack": ("recipe.pack.write", "write pack.toml and CARD.md"),
    "golden": ("recipe.served.golden", "write what the server's test compares with"),
    "examine-conditions": ("recipe.embedder.conditions", "judge the embedder on spoiled photos"),
    "examine-analyzer": ("recipe.analyzer.exam", "judge the analyzer where it errs most"),
    "examine": ("recipe.served.exam", "judge the pack on photographs"),
}
"""Module and help of each step, in the order that `recipe all` runs them.

A module has `add_arguments(parser)` and `execute(options)`, and is imported only for its own step:
the deep-learning libraries take seconds to load.
"""


def run_all() -> None:
    """Run every step with its defaults, each in a process of its own."""
    for name in STEPS:
        step = subprocess.run([sys.executable, "-m", "recipe", name], check=False)
        if step.returncode:
            raise SystemExit(f"recipe {name} failed; `recipe all` resumes where it stopped")


def main(arguments: list[str] | None = None) -> None:
    """Run one step, or all of them."""
    parser = argparse.ArgumentParser(
        prog="recipe",
        description="Train the default pack. `recipe COMMAND --help` lists a command's options.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (_, text) in STEPS.items():
        commands.add_parser(name, help=text, add_help=False)
    commands.add_parser("all", help="run every step in this order; takes hours")
    options, rest = parser.parse_known_args(arguments)
    if options.command == "all":
        run_all()
        return
    module = import_module(STEPS[options.command][0])
    step = argparse.ArgumentParser(prog=f"recipe {options.command}", description=module.__doc__)
    module.add_arguments(step)
    module.execute(step.parse_args(rest))
