"""One page of what bench/gpu.sh measured.

    gpu_report.py FOLDER [--took SECONDS] [--failed TEXT...]

Reads the logs in FOLDER, writes gpu.md and gpu.json there.
"""
import argparse
import json
import pathlib
import re


def last_json(path):
    """The last line that is JSON, or None."""
    if not path.exists():
        return None
    for line in reversed(path.read_text(errors="replace").splitlines()):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except json.JSONDecodeError:
                continue
    return None


def tests(folder):
    """Name -> doctest's summary of cases."""
    found = {}
    for log in sorted(folder.glob("test_*.log")):
        text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace"))
        lines = [line for line in text.splitlines() if "test cases:" in line]
        found[log.stem] = lines[-1].split("]")[-1].strip() if lines else "no summary"
    return found


def kernel_table(precision, kernels, vendor, ceilings):
    by_vendor = {op["name"]: op["median_ms"] for op in (vendor or {}).get("ops", [])}
    tensor_peak = 1e3 * (ceilings or {}).get(f"{precision}_tflops", 0)
    copy = (ceilings or {}).get("copy_gigabytes_per_second", 0)
    lines = [f"## Kernels, {precision}", "", "| operation | median ms | TFLOP/s | of cuBLAS | GB/s | of the copy | cuDNN, cuBLASLt ms |",
             "|" + " --- |" * 7]
    for op in kernels["ops"]:
        flops, bandwidth = op.get("gflops"), op["gigabytes_per_second"]
        lines.append(f"| {op['name']} | {op['median_ms']:.4f} | "
                     + (f"{flops / 1e3:.1f} | {flops / tensor_peak:.2f} | " if flops and tensor_peak else "- | - | ")
                     + f"{bandwidth:.0f} | " + (f"{bandwidth / copy:.2f} | " if copy else "- | ")
                     + (f"{by_vendor[op['name']]:.4f} |" if op["name"] in by_vendor else "- |"))
    return lines + [""]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--took", type=int, default=0)
    parser.add_argument("--failed", nargs="*", default=[])
    args = parser.parse_args()
    folder = args.folder
    ceilings = json.loads((folder / "ceilings.json").read_text()) if (folder / "ceilings.json").exists() else None
    kernels = {p: last_json(folder / f"kernels_{p}.log") for p in ("bf16", "tf32")}
    about = {"device": (folder / "device.txt").read_text().strip(), "seconds": args.took, "failed": args.failed,
             "ceilings": ceilings, "tests": tests(folder), "kernels": {p: k for p, k in kernels.items() if k}}
    (folder / "gpu.json").write_text(json.dumps(about, indent=1) + "\n")
    text = ["# On the card", "", "`bench/gpu.sh`, " + about["device"] + f", {args.took} s", "",
            "Failed: " + ("; ".join(args.failed) or "nothing"), "", "| tests | |", "| --- | --- |",
            *(f"| {name} | {summary} |" for name, summary in about["tests"].items()), ""]
    if ceilings:
        text += ["| ceiling | |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in ceilings.items()), ""]
    for precision, found in kernels.items():
        if found:
            text += kernel_table(precision, found, last_json(folder / f"kernels_vendor_{precision}.log"), ceilings)
    if (folder / "models.md").exists():
        text += ["Models beside PyTorch: models.md", ""]
    (folder / "gpu.md").write_text("\n".join(text))


if __name__ == "__main__":
    main()
