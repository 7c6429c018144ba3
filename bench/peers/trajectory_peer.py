#!/usr/bin/env python3
"""Our Gaussian processes beside scikit-learn, our k-shape beside tslearn and epochs of our RNA beta-VAE beside PyTorch,
in interleaved rounds.

  trajectory_peer.py BUILD/bench [--only gp kshape rna] [--rounds 3] [--threads 2] [--processor]
                     [--observations 2000] [--curves 2432] [--length 100] [--cells 6400] [--genes 2432] [--epochs 1]
                     [--density 0.05]

BUILD/bench holds bench_gp, bench_kshape and bench_rna_vae (-DCYTOGRAD_BUILD_BENCH=ON). Needs scikit-learn, tslearn and
PyTorch, each only for its own rows. Peers start from the same hyperparameters and the same centroids; tslearn compiles in
a small fit before the clock starts. PyTorch is eager, with its fused Adam and with the one it takes by default, and takes
denormal numbers for zeros (`torch.set_flush_denormal`) or keeps them, which is its default. --density: the share of the
cells' expression that is not zero; 0.05 is that of the 2,432 most variable genes of GSE116256. Prints medians and ratios
(peer's time / ours). --processor: processor time of the epochs, for one thread on a busy machine.
"""
import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


def ours(program, arguments, threads):
    environment = dict(os.environ, CYTO_THREADS=str(threads))
    return json.loads(subprocess.run([program, *map(str, arguments)], env=environment, check=True, capture_output=True).stdout)


def waves(n, outputs):
    import numpy as np
    t = np.arange(n) / n
    k = np.arange(outputs)
    y = np.sin(6 * t[:, None] + k) + 0.1 * np.sin(1000 * t[:, None] * (k + 1) + 37 * t[:, None]**2)
    return t[:, None], y


def sklearn_gp(n, outputs, queries):
    import numpy as np
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    x, y = waves(n, outputs)
    kernel = ConstantKernel(1, (0.01, 100)) * RBF(0.3, (0.05, 10)) + WhiteKernel(0.1, (1e-8, 1))
    begin = time.perf_counter()
    model = GaussianProcessRegressor(kernel, alpha=0).fit(x, y)
    fitted = time.perf_counter()
    mean, _ = model.predict(np.arange(queries)[:, None] / queries, return_cov=True)
    return {"fit": fitted - begin, "predict": time.perf_counter() - fitted,
            "likelihood": float(model.log_marginal_likelihood_value_), "first_mean": float(mean[0, 0])}


def curves(rows, length):
    import numpy as np
    rng = np.random.default_rng(0)
    t = np.linspace(0, 1, length)
    centre, kind = rng.uniform(0.3, 0.7, rows), rng.integers(0, 3, rows)
    rise = 1 / (1 + np.exp(-15 * (t - centre[:, None])))
    bell = np.exp(-30 * (t - centre[:, None])**2)
    x = np.where((kind == 0)[:, None], rise, np.where((kind == 1)[:, None], 1 - rise, bell))
    x = x + 0.05 * rng.normal(size=x.shape)
    return (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)


def tslearn_kshape(data, k):
    from tslearn.clustering import KShape
    begin = time.perf_counter()
    model = KShape(n_clusters=k, init=data[:k, :, None], n_init=1, tol=1e-6, max_iter=100).fit(data[:, :, None])
    return {"fit": time.perf_counter() - begin, "inertia": float(model.inertia_), "iterations": int(model.n_iter_)}


def gp_round(options):
    return {"ours": ours(os.path.join(options.programs, "bench_gp"), [options.observations, 5, 500], options.threads),
            "scikit-learn": sklearn_gp(options.observations, 5, 500)}


def kshape_round(options):
    return {"ours": ours(os.path.join(options.programs, "bench_kshape"), [options.path, options.length, 3], options.threads),
            "tslearn": tslearn_kshape(options.data, 3)}


def rna_round(options):
    sizes, clock = [options.cells, options.genes, options.epochs, options.density], ["--processor"] * options.processor
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rna_epoch_torch.py")
    rows = {"ours": ours(os.path.join(options.programs, "bench_rna_vae"), [*sizes, *clock], options.threads)}
    for arm, denormals in itertools.product(("fused", "default"), ("keep", "flush")):
        rows[f"PyTorch, {arm} Adam, {denormals} denormals"] = ours(
            sys.executable, [script, *sizes, options.threads, arm, denormals, *clock], options.threads)
    for row in rows.values():
        row["epoch"] = statistics.median(row["epoch"])
    return rows


ROUNDS = {"gp": gp_round, "kshape": kshape_round, "rna": rna_round}


def report(name, rounds):
    """Medians over the rounds, then what the first round gave besides."""
    for peer in list(rounds[0])[1:]:
        for key in ("fit", "predict", "epoch"):
            if key not in rounds[0]["ours"] or key not in rounds[0][peer]:
                continue
            mine, theirs = (statistics.median(row[arm][key] for row in rounds) for arm in ("ours", peer))
            print(f"{name} {key}: {mine:.3f} s, {peer} {theirs:.3f} s, ratio {theirs / mine:.2f}")
    print(f"{name}: {rounds[0]}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs")
    parser.add_argument("--only", nargs="+", choices=list(ROUNDS), default=list(ROUNDS))
    parser.add_argument("--processor", action="store_true")
    parser.add_argument("--density", type=float, default=0.05)
    for name, value in (("rounds", 3), ("threads", 2), ("observations", 2000), ("curves", 2432), ("length", 100),
                        ("cells", 6400), ("genes", 2432), ("epochs", 1)):
        parser.add_argument("--" + name, type=int, default=value)
    return parser.parse_args()


def main():
    options = arguments()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    rounds = {name: [] for name in options.only}
    with tempfile.TemporaryDirectory() as folder:
        if "kshape" in options.only:
            options.data, options.path = curves(options.curves, options.length), os.path.join(folder, "curves.f64")
            options.data.astype("<f8").tofile(options.path)
            tslearn_kshape(options.data[:50], 3)
        for _ in range(options.rounds):
            for name in options.only:
                rounds[name].append(ROUNDS[name](options))
    for name, rows in rounds.items():
        report(name, rows)


if __name__ == "__main__":
    main()
