"""Examine the analyzer where it errs most: closed eyes, bare men, women by age.

`recipe evaluate` measures averages; this prints both kinds of error on the test split.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from recipe.analyzer.ages import age_range
from recipe.analyzer.evaluate import AGE_GROUPS, Judge, balanced, outputs
from recipe.analyzer.spec import ATTRIBUTES, OUTPUTS
from recipe.analyzer.views import Views, normalized
from recipe.common import data, onnx_runtime

FIGURES = data.WORK / "analyzer-exam.json"
Figures = dict[str, float]


def percent(values: np.ndarray) -> float:
    """The share of what is true, in percent."""
    return 100 * float(values.mean())


def beards(judge: Judge) -> Figures:
    """Beards and mustaches of men alone, and those seen in women."""
    celeba = judge.of("celeba-9k")
    male = judge.truth["attributes"][:, ATTRIBUTES.index("male")] > 0.5
    result = {}
    for name in ("beard", "mustache"):
        stated, true = judge.flag(name, celeba & male)
        result[f"{name}, men, balanced, %"] = balanced(stated, true)
        result[f"{name}, bare men called so, %"] = percent(stated[~true] > 0.5)
        women, _ = judge.flag(name, celeba & ~male, 0.3)
        result[f"{name}, women called so, %"] = percent(women > 0.5)
    return result


def eyes(judge: Judge, pack: Path) -> Figures:
    """Closed eyes of photos, and eyes drawn closed."""
    stated, true = judge.flag("eyes_open", np.ones(len(judge.rows), bool))
    views = Views()
    rows, column = views.closable(judge.rows), ATTRIBUTES.index("eyes_open")
    session = onnx_runtime.session(pack / "analyzer.onnx")
    drawn = []
    for some in np.array_split(rows, max(1, len(rows) // 32)):
        faces = normalized(views.closed(some, seed=1)).contiguous().numpy()
        answer = dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"face": faces})))
        drawn.append(answer["attributes"][:, column])
    plain = outputs(pack, views, rows)["attributes"][:, column]
    return {
        f"closed eyes found ({(~true).sum()}), %": percent(stated[~true] < 0.5),
        "open eyes kept, %": percent(stated[true] > 0.5),
        f"eyes drawn closed found ({len(rows)}), %": percent(np.concatenate(drawn) < 0.5),
        "the same eyes kept before, %": percent(plain > 0.5),
    }


def by_age(judge: Judge) -> Figures:
    """Errors of sex and age in groups of UTKFace's labeled ages."""
    years, utkface, result = judge.truth["age"][:, 0], judge.of("utkface"), {}
    for low, high in AGE_GROUPS:
        where = utkface & (years >= low) & (years < high)
        stated, male = judge.flag("male", where)
        error = judge.ages[where] - years[where]
        first, last = age_range(judge.answer["age"][where])
        inside = (first <= years[where]) & (years[where] <= last)
        name = f"age {low}-{high - 1} ({where.sum()})"
        result[f"{name}, women called men, %"] = percent(stated[~male] > 0.5)
        result[f"{name}, men called women, %"] = percent(stated[male] < 0.5)
        result[f"{name}, mean error, years"] = float(error.mean())
        result[f"{name}, mean absolute error, years"] = float(np.abs(error).mean())
        result[f"{name}, inside AgeRange, %"] = percent(inside)
    return result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--pack", type=Path, default=data.PACK)


def execute(options: argparse.Namespace) -> None:
    """Print the figures, and keep them as `analyzer-exam.json` in the work folder."""
    judge = Judge(options.pack)
    result = beards(judge) | eyes(judge, options.pack) | by_age(judge)
    FIGURES.write_text(json.dumps(result, indent=1))
    for name, value in result.items():
        print(f"{name:<48} {value:8.2f}")
