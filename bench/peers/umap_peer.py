#!/usr/bin/env python3
"""Our UMAP beside umap-learn: time of a fit, and quality, in interleaved rounds.

  umap_peer.py BENCH_UMAP [--rows 10000] [--columns 64] [--rounds 3] [--threads 2]

BENCH_UMAP is the program bench_umap (-DCYTOGRAD_BUILD_BENCH=ON). Needs umap-learn and scikit-learn. Each peer runs a
small fit before the clock starts, so that its compilation is not counted. `cpu` is processor time summed over threads: on a busy
machine it is the steadier figure.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings


def make_rows(rows, columns):
    """Fifteen curved clusters of ten latent dimensions, bent into `columns`, with noise."""
    import numpy as np
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(15, 10)) * 3
    label = rng.integers(0, 15, rows)
    t = rng.uniform(0, 1, (rows, 2))
    bend = np.concatenate([np.cos(4 * t), np.sin(4 * t), t], 1) @ rng.normal(size=(6, 10))
    latent = centres[label] + bend + 0.3 * rng.normal(size=(rows, 10))
    x = np.tanh(latent @ rng.normal(size=(10, columns)) * 0.2) + 0.05 * rng.normal(size=(rows, columns))
    return x.astype(np.float32)


def trustworthiness(x, y, k=15):
    import numpy as np
    from sklearn.metrics import pairwise_distances
    from sklearn.neighbors import NearestNeighbors
    n, total = len(x), 0
    near = NearestNeighbors(n_neighbors=k).fit(y).kneighbors(return_distance=False)
    for first in range(0, n, 500):
        d = pairwise_distances(x[first:first + 500], x)
        d[np.arange(len(d)), np.arange(first, first + len(d))] = np.inf
        rank = np.empty(d.shape, np.int32)
        np.put_along_axis(rank, d.argsort(1), np.arange(1, n + 1)[None], 1)
        total += np.maximum(np.take_along_axis(rank, near[first:first + 500], 1) - k, 0).sum()
    return 1 - 2 * total / (n * k * (2 * n - 3 * k - 1))


def peer(path, columns, parallel, rounds):
    """Runs in a process of its own: one line per fit."""
    import numpy as np
    warnings.filterwarnings("ignore")
    import umap
    x = np.fromfile(path, np.float32).reshape(-1, columns)
    # Compiles all that the timed fits use: neighbours are approximate from 4096 rows on.
    umap.UMAP(random_state=None if parallel else 0, n_epochs=11).fit(x[:4200])
    print(flush=True)
    for i in range(rounds):
        sys.stdin.readline()
        seed = None if parallel else i
        begin, cpu = time.perf_counter(), time.process_time()
        y = umap.UMAP(random_state=seed).fit_transform(x)
        y.astype(np.float32).tofile(path + ".peer")
        print(json.dumps({"wall": time.perf_counter() - begin, "cpu": time.process_time() - cpu}), flush=True)


def ours(bench, path, columns, seed, order):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run([bench, path, str(columns), path + ".ours", f"seed={seed}", f"order={order}"],
                         check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall": json.loads(out)["fit_s"],
            "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("bench")
    p.add_argument("--rows", type=int, default=10000)
    p.add_argument("--columns", type=int, default=64)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--peer", help=argparse.SUPPRESS)
    p.add_argument("--parallel", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.peer:
        return peer(a.peer, a.columns, a.parallel, a.rounds)
    import numpy as np
    folder = tempfile.TemporaryDirectory()
    path = folder.name + "/rows.f32"
    x = make_rows(a.rows, a.columns)
    x.tofile(path)
    environment = dict(os.environ, NUMBA_NUM_THREADS=str(a.threads), OMP_NUM_THREADS=str(a.threads))
    os.environ["CYTO_THREADS"] = str(a.threads)
    peers = {}
    for name, extra in (("umap-learn parallel", ["--parallel"]), ("umap-learn seeded", [])):
        peers[name] = subprocess.Popen(
            [sys.executable, __file__, a.bench, "--peer", path, "--columns", str(a.columns), "--rounds",
             str(a.rounds), *extra], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        peers[name].stdout.readline()  # with compilation
    found = {}
    for i in range(a.rounds):
        for order in ("synchronous", "sequential"):
            found.setdefault("cytograd " + order, []).append(ours(a.bench, path, a.columns, i, order))
            quality(found, "cytograd " + order, x, path + ".ours", i)
        for name, process in peers.items():
            process.stdin.write("\n")
            process.stdin.flush()
            found.setdefault(name, []).append(json.loads(process.stdout.readline()))
            quality(found, name, x, path + ".peer", i)
    first = np.median([r["wall"] for r in found["cytograd synchronous"]])
    print(f"{a.rows} x {a.columns}, {a.threads} threads, median of {a.rounds} interleaved rounds")
    for name, runs in found.items():
        wall, cpu = (np.median([r[k] for r in runs]) for k in ("wall", "cpu"))
        print(f"{name:24} wall {wall:7.2f} s  cpu {cpu:7.2f} s  x {wall / first:5.2f}  trustworthiness "
              f"{runs[0]['t']:.4f}  continuity {runs[0]['c']:.4f}")


def quality(found, name, x, path, i):
    import numpy as np
    if i == 0:
        y = np.fromfile(path, np.float32).reshape(len(x), -1)
        found[name][0]["t"], found[name][0]["c"] = trustworthiness(x, y), trustworthiness(y, x)


if __name__ == "__main__":
    main()
