"""Search of Lookalike beside faiss, hnswlib and usearch: the same vectors, the same queries, in turn, one thread each.

    pip install -r benches/side_by_side/requirements.txt
    cargo bench --bench side_by_side --no-run        # prints the path of the engine
    python benches/side_by_side/compare.py ENGINE --rows 1000000 --kind faces

Every query goes to each of them before the next one does, so that whatever else the machine does falls on all alike.
"""

import argparse
import os
import subprocess
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"

import faiss
import numpy as np

import vectors as make


class Engine:
    """The engine's line protocol."""

    def __init__(self, path, *arguments):
        self.process = subprocess.Popen([path, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.name = f"lookalike ({self.process.stdout.readline().split()[1]})"

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            raise RuntimeError("the engine has died")
        return answer

    def search(self, query, k, floor=-2.0):
        seconds, *hits = self.ask("search", query, k, floor)
        pairs = [hit.split(":") for hit in hits]
        return float(seconds) / 1e6, [int(row) for row, _ in pairs], [float(cosine) for _, cosine in pairs]


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
    if path and os.path.exists(path):
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

    index = Index(ndim=vectors.shape[1], metric="ip", dtype="i8", connectivity=16, expansion_add=80, expansion_search=200)
    if path and os.path.exists(path):
        index.load(path)
    else:
        index.add(np.arange(len(vectors)), vectors, threads=threads)

    def search(query, k):
        matches = index.search(query[0], k, threads=1)
        return matches.keys[None], 1 - matches.distances[None]

    return timed(search)


def same(rows, scores, true_rows, true_scores, tolerance=2e-6):
    """Equal rows, but for those whose scores are closer than the rounding of two different orders of summation."""
    if len(rows) != len(true_rows) or not np.allclose(scores, true_scores, atol=tolerance, rtol=0):
        return False
    worst = true_scores[-1] + tolerance
    return all(score <= worst for row, score in zip(rows, scores) if row not in set(true_rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=["faces", "random"], default="faces")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--k", type=int, default=80, help="MaxFaces; 80 is the API's default")
    parser.add_argument("--floor", type=float, default=0.35, help="cosine of the threshold, for the search as the API makes it")
    parser.add_argument("--approximate", nargs="*", choices=["hnswlib", "usearch"], default=["hnswlib", "usearch"])
    parser.add_argument("--saved", default=None, help="folder with hnswlib.bin and usearch.bin, built before from the same vectors")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of 8 clients' searches, and of building")
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
    saved = (lambda name: f"{arguments.saved}/{name}.bin") if arguments.saved else (lambda name: None)
    others = {
        "faiss IndexFlatIP": faiss_index(faiss.IndexFlatIP(columns), vectors),
        "faiss IndexScalarQuantizer 8 bit": faiss_index(
            faiss.IndexScalarQuantizer(columns, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT), vectors
        ),
    }
    if "hnswlib" in arguments.approximate:
        others["hnswlib (M 16, ef 200)"] = hnswlib_index(vectors, saved("hnswlib"), arguments.threads)
    if "usearch" in arguments.approximate:
        others["usearch (i8, 16, ef 200)"] = usearch_index(vectors, saved("usearch"), arguments.threads)

    thresholded = f"{engine.name}, cosine >= {arguments.floor}"
    times = {name: [] for name in [engine.name, thresholded, *others]}
    recall = {name: [] for name in times}
    equal = 0
    for number, query in enumerate(queries):
        answers = {name: search(query, arguments.k) for name, search in others.items()}
        answers[engine.name] = engine.search(number, arguments.k)
        answers[thresholded] = engine.search(number, arguments.k, arguments.floor)
        _, true_rows, true_scores = answers["faiss IndexFlatIP"]
        equal += same(*answers[engine.name][1:], true_rows, true_scores)
        for name, (seconds, rows, _) in answers.items():
            times[name].append(seconds * 1e3)
            wanted = true_rows
            if name == thresholded:
                wanted = [row for row, score in zip(true_rows, true_scores) if score >= arguments.floor]
            recall[name].append(len(set(rows) & set(wanted)) / max(len(wanted), 1) if wanted else 1.0)

    flat = np.median(times["faiss IndexFlatIP"])
    print(f"{arguments.rows:,} x {columns} ({arguments.kind}), k = {arguments.k}, {len(queries)} queries, one at a time, one thread\n")
    print("| search | p50 ms | p99 ms | flat p50 / p50 | recall |\n|---|---:|---:|---:|---:|")
    for name, series in times.items():
        p50, p99 = np.percentile(series, [50, 99])
        print(f"| {name} | {p50:.2f} | {p99:.2f} | {flat / p50:.1f} | {np.mean(recall[name]):.4f} |")
    print(f"\nsame answers as IndexFlatIP: {equal} of {len(queries)} queries")

    rows, size, resident, peak = engine.ask("memory")
    print(f"memory: {int(size) / int(rows):.0f} bytes a face in the arena; process {resident}, at most {peak}")

    print(f"\n8 clients, {arguments.threads} threads, k = {arguments.k}\n\n| search | queries/s | p50 ms | p99 ms |\n|---|---:|---:|---:|")
    for label, floor in [("all", -2.0), (f"cosine >= {arguments.floor}", arguments.floor)]:
        count, p50, p99 = map(float, engine.ask("clients", 8, arguments.threads, 5, arguments.k, floor))
        print(f"| {engine.name}, {label} | {count / 5:.0f} | {p50 / 1e3:.2f} | {p99 / 1e3:.2f} |")
    count, p50, p99 = eight_clients(lambda query: others["faiss IndexFlatIP"](query, arguments.k), queries, arguments.threads)
    print(f"| faiss IndexFlatIP, {arguments.threads} searching threads | {count / 5:.0f} | {p50:.2f} | {p99:.2f} |")


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
