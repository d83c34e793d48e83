"""Charts of what compare.py measured: throughput against clients, latency against the size of the photo.

    python benches/rivals/charts.py RESULTS.json CHART.svg
"""

import json
import sys

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "lookalike", "font.family": "sans-serif", "font.size": 9}

from matplotlib import pyplot  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

COLORS = ("#0b6e99", "#d9730d", "#6940a5", "#448361")
STYLES = ("-", "--", ":")


def kinds(rows: list[dict], name: str) -> list:
    """The values of a column, in the order in which they come first."""
    return list(dict.fromkeys(row[name] for row in rows))


def throughput(axes: Axes, rows: list[dict]) -> None:
    """Requests a second against clients: a color for each contender, a style for each size."""
    for who, color in zip(kinds(rows, "who"), COLORS):
        for photo, style in zip(kinds(rows, "photo"), STYLES):
            mine = [row for row in rows if row["who"] == who and row["photo"] == photo]
            label = f"{who}, {photo}"
            axes.plot([row["clients"] for row in mine], [row["rate"] for row in mine], style, color=color, marker="o", markersize=3, label=label)
    clients = kinds(rows, "clients")
    axes.set_xscale("log", base=2)
    axes.set_xticks(clients, [str(count) for count in clients])
    # Room for the legend above the lines.
    axes.set(xlabel="clients", ylabel="requests a second", ylim=(0, 1.5 * max(row["rate"] for row in rows)))
    axes.legend(fontsize=7, ncols=len(kinds(rows, "who")), loc="upper left")


def latency(axes: Axes, rows: list[dict]) -> None:
    """The median of one client against the size of the photo."""
    photos, names = kinds(rows, "photo"), kinds(rows, "who")
    width = 0.8 / len(names)
    for number, (who, color) in enumerate(zip(names, COLORS)):
        p50 = {row["photo"]: row["p50"] for row in rows if row["who"] == who and row["clients"] == 1}
        bars = axes.bar([at + number * width for at in range(len(photos))], [p50.get(photo, 0) for photo in photos], width, color=color, label=who)
        axes.bar_label(bars, fmt="%.0f", fontsize=7)
    axes.set_xticks([at + (len(names) - 1) * width / 2 for at in range(len(photos))], photos)
    axes.set(xlabel="photo, one client", ylabel="median ms")
    axes.legend(fontsize=7)


def main() -> None:
    results, chart = sys.argv[1:]
    with open(results) as file:
        rows = json.load(file)
    operations = kinds(rows, "operation")
    figure, grid = pyplot.subplots(len(operations), 2, figsize=(9, 3 * len(operations)), squeeze=False)
    for operation, (left, right) in zip(operations, grid):
        mine = [row for row in rows if row["operation"] == operation]
        left.set_title(operation, loc="left")
        throughput(left, mine)
        latency(right, mine)
    for axes in grid.flat:
        axes.grid(axis="y", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(chart, metadata={"Date": None})


if __name__ == "__main__":
    main()
