"""Models in Cytograd and PyTorch in turns: medians, ratios (PyTorch's time / Cytograd's; above 1 is faster) and
peak memory.

    python bench/peers/torch_models.py build/release/cyto [--threads 2] [--rounds 3]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

WORK = [
    ("resnet18", "train", 16, 3), ("resnet18", "infer", 16, 5), ("resnet18", "infer", 1, 15),
    ("resnet50", "train", 16, 1), ("resnet50", "infer", 16, 3), ("resnet50", "infer", 1, 9),
    ("densenet121", "train", 16, 1), ("densenet121", "infer", 16, 3), ("densenet121", "infer", 1, 9),
]


def peer(name, mode, batch, repeats, threads, layout):
    import resource

    import torch
    import torchvision
    torch.set_num_threads(threads)
    model = getattr(torchvision.models, name)(weights=None)
    train = mode == "train"
    model.train(train)
    x = torch.rand(batch, 3, 224, 224) * 2 - 1
    if layout == "nhwc":
        model = model.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    labels = torch.arange(batch)
    sgd = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def work():
        if not train:
            with torch.inference_mode():
                model(x)
            return
        loss = torch.nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        sgd.step()
        sgd.zero_grad()

    work()
    times = []
    before = time.process_time()
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    cpu = (time.process_time() - before) / repeats
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"median_s": statistics.median(times), "min_s": min(times),
                      "cpu_s": cpu, "peak_mib": peak}))


def own_command(program, name, mode, batch, repeats):
    return [program, "bench", "model", "--json", "--model", name, "--mode", mode, "--batch", batch,
            "--repeats", repeats]


def own_row(row):
    return {"median_s": row["median_ms"] / 1e3, "cpu_s": row["processor_ms"] / 1e3,
            "peak_mib": row["peak_memory_mb"] * 1e6 / 2**20}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layout", choices=["nchw", "nhwc"], default="nchw")
    parser.add_argument("--only", default="", help="words that must occur, as 'resnet50 train'")
    parser.add_argument("--peer", nargs=4)
    args = parser.parse_args()
    if args.peer:
        name, mode, batch, repeats = args.peer
        peer(name, mode, int(batch), int(repeats), args.threads, args.layout)
        return
    env = dict(os.environ, CYTO_THREADS=str(args.threads), OMP_NUM_THREADS=str(args.threads))
    print(f"{'':28}{'cytograd s':>11}{'torch s':>9}{'ratio':>7}{'MiB':>8}{'torch MiB':>10}")
    for name, mode, batch, repeats in WORK:
        label = f"{name} {mode} {batch}"
        if not all(word in label.split() for word in args.only.split()):
            continue
        work = [name, mode, str(batch), str(repeats)]
        ours, theirs = [], []
        for _ in range(args.rounds):
            for rows, command in ((ours, own_command(args.program, *work)),
                                  (theirs, [sys.executable, __file__, args.program, "--threads",
                                            str(args.threads), "--layout", args.layout, "--peer", *work])):
                out = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
                row = json.loads(out.stdout)
                rows.append(row if "median_s" in row else own_row(row))
        a = statistics.median(r["median_s"] for r in ours)
        b = statistics.median(r["median_s"] for r in theirs)
        # Processor time is the steadier figure on a busy machine, with one thread (idle ones may spin).
        cpu = min(r["cpu_s"] for r in theirs) / min(r["cpu_s"] for r in ours)
        print(f"{label:28}{a:11.3f}{b:9.3f}{b / a:7.2f}{max(r['peak_mib'] for r in ours):8.0f}"
              f"{max(r['peak_mib'] for r in theirs):10.0f}   processor time ratio: {cpu:.2f}", flush=True)


if __name__ == "__main__":
    main()
