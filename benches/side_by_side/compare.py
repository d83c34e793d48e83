"""Search of Lookalike beside faiss, hnswlib and usearch: same vectors and queries, one thread.

    pip install -r benches/side_by_side/requirements.txt
    cargo bench --bench side_by_side --no-run        # prints the path of the engine
    python benches/side_by_side/compare.py ENGINE --rows 1000000 --kind faces

Each query goes to every library before the next query, so that other load on the machine affects
all alike. Exits with 1 if an answer of Lookalike differs from that of IndexFlatIP, or if Lookalike
is less than three times as fast.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import faiss
import numpy as np
import vectors as make
from engine import NO_FLOOR, Engine, floor_of

MAX_FACES = 4096
"""The API's default: a search answers all faces above the threshold, up to so many."""
TIMES_FLAT = 3


def timed(search):
    def run(query, k):
        began = time.perf_counter()
        rows, scores = search(query[None], k)
        return time.perf_counter() - began, list(map(int, rows[0])), list(map(float, scores[0]))

    return run


def faiss_index(index, vectors):
    index.train(vectors)
    index.add(vectors)
    return timed(lambda query, k: index.search(query, k)[::-1])


def hnswlib_index(vectors, path, threads):
    import hnswlib

    index = hnswlib.Index("ip", vectors.shape[1])
    if path and Path(path).exists():
        index.load_index(path)
    else:
        index.init_index(len(vectors), M=16, ef_construction=80)
        index.add_items(vectors, num_threads=threads)
    index.set_num_threads(1)
    index.set_ef(200)

    def search(query, k):
        rows, distances = index.knn_query(query, k)
        return rows, 1 - distances

    return timed(search)


def usearch_index(vectors, path, threads):
    from usearch.index import Index

    index = Index(
        ndim=vectors.shape[1],
        metric="ip",
        dtype="i8",
        connectivity=16,
        expansion_add=80,
        expansion_search=200,
    )
    if path and Path(path).exists():
        index.load(path)
    else:
        index.add(np.arange(len(vectors)), vectors, threads=threads)

    def search(query, k):
        matches = index.search(query[0], k, threads=1)
        return matches.keys[None], 1 - matches.distances[None]

    return timed(search)


def same(found, true, k, floor, tolerance=2e-6):
    """Whether an answer has the true rows in order.

    Two orders of summation round differently: rows whose scores are within the tolerance of the
    last place, or of the floor, may be exchanged there.
    """
    rows, scores = found
    true = {row: score for row, score in zip(*true) if score >= floor}
    border = min(true.values()) if len(true) == k else floor
    return (
        list(scores) == sorted(scores, reverse=True)
        and (floor > NO_FLOOR or len(rows) == len(true))
        and all(score <= border + tolerance for row, score in true.items() if row not in set(rows))
        and all(abs(score - true.get(row, border)) <= tolerance for row, score in zip(rows, scores))
    )


class Row:
    """One line of the table: a search, and what it is measured against."""

    def __init__(self, search, flat, k, floor=NO_FLOOR, is_ours=False):
        self.search, self.flat, self.k, self.floor, self.is_ours = search, flat, k, floor, is_ours
        self.times, self.recalls, self.differences = [], [], 0

    def add(self, seconds, rows, scores, true):
        self.times.append(seconds * 1e3)
        wanted = {row for row, score in zip(*true) if score >= self.floor}
        self.recalls.append(len(wanted & set(rows)) / len(wanted) if wanted else 1.0)
        self.differences += self.is_ours and not same((rows, scores), true, self.k, self.floor)

    def p50(self):
        return float(np.median(self.times))


def side_by_side(rows, queries):
    """Runs each query through every row's search; the reference searches come first."""
    for number, query in enumerate(queries):
        answers = {}
        for name, row in rows.items():
            answers[name] = row.search(number, query, row.k)
            row.add(*answers[name], true=answers[row.flat][1:])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("engine")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=["faces", "random"], default="faces")
    parser.add_argument(
        "--queries", type=int, default=1000, help="the p99 of fewer than some hundreds means little"
    )
    parser.add_argument(
        "--k", type=int, default=80, help="most answers of the searches without a floor"
    )
    parser.add_argument(
        "--floor",
        type=float,
        default=floor_of(80),
        help="least cosine; by default that of Similarity 80, default pack",
    )
    parser.add_argument(
        "--approximate", nargs="*", choices=["hnswlib", "usearch"], default=["hnswlib", "usearch"]
    )
    parser.add_argument(
        "--saved",
        default=None,
        help="folder with hnswlib.bin and usearch.bin, built before from the same vectors",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=os.cpu_count(),
        help="threads of 8 clients' searches, and of building",
    )
    arguments = parser.parse_args()

    faiss.omp_set_num_threads(1)
    generator = np.random.default_rng(7)
    if arguments.kind == "faces":
        vectors = make.faces(arguments.rows, generator)
    else:
        vectors = make.random(arguments.rows, generator)
    queries = make.queries(vectors, arguments.queries, generator)

    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/vectors.npy", vectors)
        np.save(f"{folder}/queries.npy", queries)
        engine = Engine(arguments.engine, f"{folder}/vectors.npy", f"{folder}/queries.npy")

    columns = vectors.shape[1]
    saved = (
        (lambda name: f"{arguments.saved}/{name}.bin") if arguments.saved else (lambda name: None)
    )
    others = {
        "faiss IndexFlatIP": faiss_index(faiss.IndexFlatIP(columns), vectors),
        "faiss IndexScalarQuantizer 8 bit": faiss_index(
            faiss.IndexScalarQuantizer(
                columns, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
            ),
            vectors,
        ),
    }
    if "hnswlib" in arguments.approximate:
        others["hnswlib (M 16, ef 200)"] = hnswlib_index(
            vectors, saved("hnswlib"), arguments.threads
        )
    if "usearch" in arguments.approximate:
        others["usearch (i8, 16, ef 200)"] = usearch_index(
            vectors, saved("usearch"), arguments.threads
        )

    def ours(k, floor=NO_FLOOR):
        flat = names[k]
        return Row(
            lambda number, query, k: engine.search(number, k, floor), flat, k, floor, is_ours=True
        )

    def theirs(search, k):
        return Row(lambda number, query, k: search(query, k), names[k], k)

    k, most, floor = arguments.k, min(MAX_FACES, arguments.rows), arguments.floor
    names = {size: f"faiss IndexFlatIP, k = {size}" for size in (k, most)}
    rows = {name: theirs(others["faiss IndexFlatIP"], size) for size, name in names.items()}
    rows[f"{engine.name}, k = {k}"] = ours(k)
    rows[f"{engine.name}, k = {k}, cosine >= {floor:.4f}"] = ours(k, floor)
    rows[f"{engine.name}, k = {most}, cosine >= {floor:.4f}"] = ours(most, floor)
    rows |= {
        f"{name}, k = {k}": theirs(search, k)
        for name, search in others.items()
        if "Flat" not in name
    }
    side_by_side(rows, queries)

    print(
        f"{arguments.rows:,} x {columns} ({arguments.kind}), {len(queries)} queries,"
        " one at a time, one thread; as the API searches"
    )
    print(f"unless told otherwise: k = {most}, cosine >= {floor:.4f}, which is Similarity 80\n")
    print(
        "| search | p50 ms | p99 ms | IndexFlatIP's p50 / p50 | recall |\n|---|---:|---:|---:|---:|"
    )
    for name, row in rows.items():
        p99, times = np.percentile(row.times, 99), rows[row.flat].p50() / row.p50()
        print(
            f"| {name} | {row.p50():.2f} | {p99:.2f} | {times:.1f} | {np.mean(row.recalls):.4f} |"
        )
    differences = sum(row.differences for row in rows.values())
    slowest = min(rows[row.flat].p50() / row.p50() for row in rows.values() if row.is_ours)
    print(f"\nanswers of lookalike that differ from IndexFlatIP's: {differences}")

    count, size, resident, peak = engine.ask("memory")
    print(
        f"memory: {int(size) / int(count):.0f} bytes per face in the arena;"
        f" process {resident}, peak {peak}"
    )

    print(
        f"\n8 clients, {arguments.threads} searching threads\n\n"
        "| search | queries/s | p50 ms | p99 ms |\n|---|---:|---:|---:|"
    )
    for name, row in rows.items():
        if row.is_ours:
            count, *percentiles = map(
                float, engine.ask("clients", 8, arguments.threads, 5, row.k, row.floor)
            )
            p50, p99 = (value / 1e3 for value in percentiles)
        else:
            count, p50, p99 = eight_clients(
                lambda query, row=row: row.search(None, query, row.k), queries, arguments.threads
            )
        print(f"| {name} | {count / 5:.0f} | {p50:.2f} | {p99:.2f} |", flush=True)
    if differences or slowest < TIMES_FLAT:
        sys.exit(
            f"side by side: {differences} answers differ,"
            f" {slowest:.1f} times as fast as IndexFlatIP (target: {TIMES_FLAT})"
        )


def eight_clients(search, queries, threads, seconds=5):
    """Eight clients of a server that searches on as many threads as it has processors."""
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(threads)
    until = time.perf_counter() + seconds

    def client(first):
        series = []
        while (began := time.perf_counter()) < until:
            pool.submit(search, queries[(first + len(series)) % len(queries)]).result()
            series.append((time.perf_counter() - began) * 1e3)
        return series

    with ThreadPoolExecutor(8) as clients:
        series = [value for part in clients.map(client, range(0, 56, 7)) for value in part]
    return len(series), *np.percentile(series, [50, 99])


if __name__ == "__main__":
    main()
