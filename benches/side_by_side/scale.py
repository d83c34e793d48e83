"""How search scales with the collection: 1, 3 and 10 million independent vectors, one thread.

    python benches/side_by_side/scale.py ENGINE [--rows 1000000 3000000 10000000]

Prints the time of a search and the peak memory of the process. Exits with 1 over 8 GB, or if a row
of the largest collection takes 1.5 times as long as one of the collection before it: the smallest
may fit into the processor's cache.
"""

import argparse
import sys
import tempfile

import numpy as np
import vectors as make
from engine import NO_FLOOR, Engine, floor_of

MOST_BYTES = 8e9
MOST_GROWTH = 1.5


def measure(engine, queries, k, floor):
    """Milliseconds of each search."""
    for query in range(3):
        engine.search(query, k, floor)
    return [engine.search(query, k, floor)[0] * 1e3 for query in range(queries)]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("engine")
    parser.add_argument(
        "--rows", type=int, nargs="+", metavar="ROWS", default=[1_000_000, 3_000_000, 10_000_000]
    )
    parser.add_argument("--queries", type=int, default=200)
    arguments = parser.parse_args()
    searches = {"k = 80": (80, NO_FLOOR), "k = 4096, Similarity 80": (4096, floor_of(80))}

    shares, problems = {title: [] for title in searches}, []
    print(
        "| faces | search | p50 ms | p99 ms | p50 ms per million | peak memory |\n"
        "|---:|---|---:|---:|---:|---:|"
    )
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/queries.npy", make.random(arguments.queries, np.random.default_rng(7)))
        for rows in arguments.rows:
            engine = Engine(arguments.engine, "--generate", rows, f"{folder}/queries.npy")
            for title, (k, floor) in searches.items():
                p50, p99 = np.percentile(measure(engine, arguments.queries, k, floor), [50, 99])
                peak = int(engine.ask("memory")[-1].removesuffix("kB")) * 1024
                share = p50 / rows * 1e6
                shares[title].append(share)
                print(
                    f"| {rows:,} | {title} | {p50:.2f} | {p99:.2f} | {share:.2f}"
                    f" | {peak / 1e9:.2f} GB |",
                    flush=True,
                )
            engine.close()
            if peak > MOST_BYTES:
                problems.append(f"{rows:,} faces take {peak / 1e9:.2f} GB")
    for title, series in shares.items():
        if len(series) < 2:
            continue
        growth = series[-1] / series[-2]
        if growth > MOST_GROWTH:
            problems.append(
                f"a face of the largest collection takes {growth:.1f} times as long ({title})"
            )
    if problems:
        sys.exit("scale: " + "; ".join(problems))


if __name__ == "__main__":
    main()
