"""Cytograd beside PyTorch and ONNX Runtime: one table of speed and memory.

    python bench/peers/compare.py build/release/cyto [--threads 1 2] [--growth] [--only resnet50 infer] [--name NAME]

Per row every arm runs in each round, one after the other on the same cores; an arm's time is the median over rounds of
the median within a round. Arms: `cyto bench model`; PyTorch eager in NCHW and channels_last; torch.compile in both;
ONNX Runtime on the model exported by torch, all graph optimisations on (inference). Ratio: peer's time / ours, so above 1
we are faster; PyTorch stands for its fastest arm. Memory: largest resident set of the process, 1e6 bytes; PyTorch's
is that of its faster eager arm. Writes NAME.md and NAME.json to the folder. Mask R-CNN: torchvision's, with the same
weights and images at 480 x 640 pixels; its operations alone: bench/peers/detector_ops.py.

`--device cuda` compares on the card instead: batches of 128 and 256, `--precision bf16 tf32`, memory of tensors there.
"""
import argparse
import datetime
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
CLASSIFIERS = ("resnet50", "densenet121", "resnet18")
DETECTOR = "mask-rcnn-resnet50"
EAGER = ("torch-nchw", "torch-nhwc")
COMPILED = ("compile-nchw", "compile-nhwc")
ARMS = ("cytograd", *EAGER, *COMPILED, "onnxruntime")


def main_rows():
    """Model, mode, batch, repeats within a round."""
    rows = [(model, "infer", batch, 5 if batch == 1 else 1) for batch in (1, 16) for model in CLASSIFIERS]
    rows += [(model, "train", 16, 1) for model in CLASSIFIERS]
    rows += [("image-vae", "train", 128, 1), ("rna-vae", "train", 128, 5)]
    return rows + [(DETECTOR, "infer", 1, 1), (DETECTOR, "train", 2, 1)]


def card_rows(quick):
    """As main_rows, at sizes that fill a card."""
    batches = (128,) if quick else (128, 256)
    rows = [(model, mode, batch, 10) for mode in ("train", "infer") for model in CLASSIFIERS[:2] for batch in batches]
    return rows + [("image-vae", "train", 128, 20), ("rna-vae", "train", 128, 20)]


def growth_rows():
    rows = [(model, "infer", batch, 5 if batch < 4 else 1)
            for model in CLASSIFIERS for batch in (1, 2, 4, 8, 16, 32, 64)]
    return rows + [("resnet50", "train", batch, 1) for batch in (2, 4, 8, 16, 32, 64)]


class Failed(Exception):
    pass


class Worker:
    """A peer in its process, which waits between rounds."""

    def __init__(self, spec, cores, limit):
        self.limit = limit
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py"), json.dumps(spec)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment(spec["threads"]),
            preexec_fn=lambda: os.sched_setaffinity(0, cores))
        self.answer()

    def answer(self):
        timer = threading.Timer(self.limit, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            self.process.wait()
            self.log.seek(0)
            told = [text.strip() for text in self.log.read().splitlines() if text.strip()]
            killed = self.process.returncode == -9
            raise Failed(f"ended or exceeded {self.limit} s" if killed else (told or ["no output"])[-1][:200])
        return json.loads(line)

    def round(self, repeats):
        try:
            self.process.stdin.write(f"{repeats}\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Failed("ended between rounds") from error
        row = self.answer()
        row["median_s"] = statistics.median(row["seconds"])
        return row

    def close(self):
        try:
            self.process.stdin.close()
            self.process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.log.close()


class Own:
    """Cytograd: a fresh process each round, as it starts in no time."""

    def __init__(self, program, spec, cores):
        self.cores, self.threads = cores, spec["threads"]
        self.command = [program, "bench", "model", "--json", "--model", spec["model"], "--mode", spec["mode"],
                        "--batch", str(spec["batch"]), "--threads", str(spec["threads"])]
        if spec["model"] in CLASSIFIERS:
            self.command += ["--size", str(spec["size"])]
        if spec["device"] != "cpu":
            self.command += ["--device", spec["device"], "--precision", spec["precision"]]

    def round(self, repeats):
        out = subprocess.run([*self.command, "--repeats", str(repeats)], text=True, capture_output=True,
                             env=environment(self.threads),
                             preexec_fn=lambda: os.sched_setaffinity(0, self.cores))
        if out.returncode != 0:
            raise Failed((out.stderr or out.stdout).strip()[:200])
        row = json.loads(out.stdout)
        return {"median_s": row["median_ms"] / 1e3, "peak_mb": row["peak_memory_mb"], "import_mb": 0.0,
                "isa": row["isa"]}

    def close(self):
        pass


def environment(threads):
    return dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))


def start(arm, spec, args, folder, cores):
    if arm == "cytograd":
        return Own(args.program, spec, cores)
    spec = dict(spec, arm=arm)
    if arm == "onnxruntime":
        spec["onnx"] = str(pathlib.Path(folder) / f"{spec['model']}_{spec['batch']}_{spec['size']}.onnx")
        if not os.path.exists(spec["onnx"]):
            out = subprocess.run([sys.executable, str(HERE / "worker.py"), json.dumps(dict(spec, arm="export"))],
                                 text=True, capture_output=True, timeout=args.limit)
            if out.returncode != 0:
                raise Failed("export: " + out.stderr.strip().splitlines()[-1][:200])
    return Worker(spec, cores, args.limit)


def measure(row, threads, precision, arms, args, folder):
    """Starts every arm, then goes round; an arm that fails keeps its reason."""
    model, mode, batch, repeats = row
    spec = {"model": model, "mode": mode, "batch": batch, "size": args.size, "threads": threads,
            "device": args.device, "precision": precision}
    cores = set(sorted(os.sched_getaffinity(0))[:threads if args.device == "cpu" else None])
    rounds = args.rounds_train if mode == "train" else args.rounds_infer
    running, found = {}, {}
    try:
        for arm in arms:
            if arm == "onnxruntime" and (mode == "train" or args.device != "cpu"):
                continue
            if arm.endswith("nhwc") and model == "rna-vae":
                continue  # no images
            if model == DETECTOR and arm in COMPILED + ("onnxruntime",):
                continue  # as many boxes as the image has: nothing that is traced once
            try:
                running[arm] = start(arm, spec, args, folder, cores)
                found[arm] = {"round_ms": [], "peak_mb": 0.0}
            except (Failed, subprocess.TimeoutExpired) as error:
                found[arm] = {"error": str(error)}
        for _ in range(rounds):
            for arm in list(running):
                time.sleep(0.2)  # thread pools of the arm before stop spinning
                try:
                    out = running[arm].round(repeats)
                except Failed as error:
                    found[arm] = {"error": str(error)}
                    running.pop(arm).close()
                    continue
                found[arm]["round_ms"].append(round(1e3 * out["median_s"], 4))
                found[arm]["peak_mb"] = max(found[arm]["peak_mb"], round(out["peak_mb"], 1))
                found[arm]["import_mb"] = round(out["import_mb"], 1)
                if "isa" in out:
                    found[arm]["isa"] = out["isa"]
    finally:
        for worker in running.values():
            worker.close()
    for result in found.values():
        if "error" not in result:
            result["median_ms"] = statistics.median(result["round_ms"])
            result["best_ms"] = min(result["round_ms"])
    return dict(spec, rounds=rounds, repeats=repeats, arms=found, **ratios(found))


def fastest(found, arms):
    done = [arm for arm in arms if "median_ms" in found.get(arm, {})]
    return min(done, key=lambda arm: found[arm]["median_ms"]) if done else None


def ratios(found):
    own = found.get("cytograd", {})
    out = {"best_torch": fastest(found, EAGER + COMPILED), "best_eager": fastest(found, EAGER)}
    if "median_ms" not in own:
        return out
    runtime = fastest(found, ("onnxruntime",))
    for name, speed, memory in (("torch", out["best_torch"], out["best_eager"]),
                                ("onnxruntime", runtime, runtime)):
        if speed:
            out[f"ratio_{name}"] = round(found[speed]["median_ms"] / own["median_ms"], 3)
        if memory:
            out[f"memory_ratio_{name}"] = round(own["peak_mb"] / found[memory]["peak_mb"], 3)
    return out


def cell(found, arm, key="median_ms", digits=1):
    if arm not in found:
        return "-"
    return f"{found[arm][key]:.{digits}f}" if key in found[arm] else "failed"


def table(rows):
    setting = "threads" if rows[0]["device"] == "cpu" else "precision"
    head = ["work", "batch", setting, "cytograd ms", "eager NCHW", "eager NHWC", "compile NCHW", "compile NHWC",
            "ONNX Runtime", "vs PyTorch", "vs ONNX Runtime", "cytograd MB", "PyTorch MB (imports)",
            "ONNX Runtime MB (imports)", "memory vs PyTorch", "memory vs ONNX Runtime"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        found = row["arms"]

        def memory(arm):
            if not arm or "median_ms" not in found.get(arm, {}):
                return "-"
            return f"{found[arm]['peak_mb']:.0f} ({found[arm]['import_mb']:.0f})"

        cells = [f"{row['model']} {row['mode']}", str(row["batch"]),
                 str(row["threads"]) if row["device"] == "cpu" else row["precision"]]
        cells += [cell(found, arm) for arm in ARMS]
        cells += [f"{row[key]:.2f}" if key in row else "-" for key in ("ratio_torch", "ratio_onnxruntime")]
        cells += [cell(found, "cytograd", "peak_mb", 0), memory(row["best_eager"]), memory("onnxruntime")]
        cells += [f"{row[key]:.2f}" if key in row else "-"
                  for key in ("memory_ratio_torch", "memory_ratio_onnxruntime")]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def growth_table(rows):
    lines = ["| work | batch | threads | cytograd ms/image | PyTorch | ONNX Runtime | cytograd MB | MB/image over batch 1 |",
             "|" + " --- |" * 8]
    first = {}
    for row in rows:
        found, batch = row["arms"], row["batch"]

        def each(arm):
            done = arm and "median_ms" in found.get(arm, {})
            return f"{found[arm]['median_ms'] / batch:.2f}" if done else "-"

        peak = found.get("cytograd", {}).get("peak_mb", 0)
        least = first.setdefault((row["model"], row["mode"], row["threads"]), (batch, peak))
        slope = f"{(peak - least[1]) / (batch - least[0]):.1f}" if batch > least[0] else "-"
        lines.append(f"| {row['model']} {row['mode']} | {batch} | {row['threads']} | {each('cytograd')} | "
                     f"{each(row['best_torch'])} | {each('onnxruntime')} | {peak:.0f} | {slope} |")
    return lines


def output_of(command):
    try:
        return subprocess.run(command, text=True, capture_output=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def versions(program):
    script = ("import importlib.metadata as m, sys; print(sys.version.split()[0]); "
              "[print(p, m.version(p)) for p in ('torch', 'torchvision', 'onnxruntime', 'onnx')]")
    return output_of([program, "--version"]).splitlines() + \
        ("Python " + output_of([sys.executable, "-c", script])).splitlines()


def write(args, about, rows, growth):
    folder = args.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{args.name}.json").write_text(json.dumps(dict(about, rows=rows, growth=growth), indent=1) + "\n")
    failures = [f"- {row['model']} {row['mode']}, batch {row['batch']}, {row['threads']} threads, {arm}: {out['error']}"
                for row in rows + growth for arm, out in row["arms"].items() if "error" in out]
    text = [f"# Cytograd, PyTorch and ONNX Runtime: {about['date']}", "", f"`{about['command']}`", "",
            "Median ms of interleaved rounds. Ratios are peer's time / ours (above 1: Cytograd is faster), PyTorch by its",
            "fastest arm. MB: largest resident set, memory ratios ours / peer's.", ""]
    text += table(rows) + [""] if rows else []
    text += ["## Growth with the batch", ""] + growth_table(growth) + [""] if growth else []
    text += ["## Failures", "", *failures, ""] if failures else []
    text += ["## Machine and versions", "", "```", *about["versions"], f"load before: {about['load']}", "",
             about["lscpu"], "```", ""]
    (folder / f"{args.name}.md").write_text("\n".join(text))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the built cyto")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds-infer", type=int, default=7)
    parser.add_argument("--rounds-train", type=int, default=5)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", nargs="+", choices=("bf16", "tf32", "float32"), default=["bf16", "tf32"],
                        help="on the card")
    parser.add_argument("--quick", action="store_true", help="on the card: batch 128 only")
    parser.add_argument("--only", nargs="+", default=[], help="words that a row must have: resnet50 infer 16")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--growth", action="store_true", help="also batches 1 to 64, eager and ONNX Runtime")
    parser.add_argument("--growth-only", action="store_true")
    parser.add_argument("--limit", type=int, default=1800, help="seconds that an arm may take to start or answer")
    parser.add_argument("--folder", type=pathlib.Path, default=HERE.parent / "results")
    parser.add_argument("--name", default="peers", help="of the two files in the folder")
    return parser.parse_args()


def main():
    args = arguments()
    args.program = os.path.abspath(args.program)
    about = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
             "command": " ".join(["python", "bench/peers/compare.py", "build/release/cyto", *sys.argv[2:]]),
             "versions": versions(args.program), "load": " ".join(map(str, os.getloadavg())),
             "lscpu": output_of(["lscpu"])}
    if args.device == "cuda":
        about["versions"].append("card: " + output_of(["nvidia-smi", "--query-gpu=name,driver_version,memory.total",
                                                       "--format=csv,noheader"]))
        args.threads = [len(os.sched_getaffinity(0))]
    else:
        args.precision = ["float32"]
    parts = []  # key in the results, rows, arms
    if not args.growth_only:
        parts.append(("rows", main_rows() if args.device == "cpu" else card_rows(args.quick), args.arms))
    if args.growth or args.growth_only:
        parts.append(("growth", growth_rows(), [arm for arm in args.arms if arm not in COMPILED]))
    results = {"rows": [], "growth": []}
    with tempfile.TemporaryDirectory() as folder:
        for key, rows, arms in parts:
            for threads, precision in itertools.product(args.threads, args.precision):
                for row in rows:
                    if not all(word in map(str, row[:3]) for word in args.only):
                        continue
                    results[key].append(measure(row, threads, precision, arms, args, folder))
                    print(table(results[key][-1:])[-1], flush=True)
                    write(args, about, **results)  # an interrupted run keeps what it has


if __name__ == "__main__":
    main()
