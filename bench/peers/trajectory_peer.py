#!/usr/bin/env python3
"""Our Gaussian processes beside scikit-learn, our k-shape beside tslearn, in interleaved rounds.

  trajectory_peer.py BUILD/bench [--rounds 3] [--threads 2] [--observations 2000] [--curves 2432] [--length 100]

BUILD/bench holds bench_gp and bench_kshape (-DCYTOGRAD_BUILD_BENCH=ON). Needs scikit-learn and tslearn. Peers start from the same
hyperparameters and the same centroids; tslearn compiles in a small fit before the clock starts. Prints medians and ratios.
"""
import argparse
import json
import os
import statistics
import subprocess
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--observations", type=int, default=2000)
    parser.add_argument("--curves", type=int, default=2432)
    parser.add_argument("--length", type=int, default=100)
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    data = curves(options.curves, options.length)
    tslearn_kshape(data[:50], 3)
    rows = {"gp": [], "kshape": []}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "curves.f64")
        data.astype("<f8").tofile(path)
        for _ in range(options.rounds):
            rows["gp"].append((ours(os.path.join(options.programs, "bench_gp"), [options.observations, 5, 500], options.threads),
                               sklearn_gp(options.observations, 5, 500)))
            rows["kshape"].append((ours(os.path.join(options.programs, "bench_kshape"), [path, options.length, 3], options.threads),
                                   tslearn_kshape(data, 3)))
    for name, pairs in rows.items():
        for key in ("fit", "predict"):
            if key not in pairs[0][0]:
                continue
            mine, peer = (statistics.median(pair[side][key] for pair in pairs) for side in (0, 1))
            print(f"{name} {key}: {mine:.3f} s, peer {peer:.3f} s, ratio {peer / mine:.1f}")
        print(f"{name}: {pairs[0][0]} | {pairs[0][1]}")


if __name__ == "__main__":
    main()
