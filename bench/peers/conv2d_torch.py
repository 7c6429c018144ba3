"""The convolutions of `cyto bench ops` in PyTorch and in Cytograd, in turn, on the same machine.

    python bench/peers/conv2d_torch.py build/release/cyto [--threads N] [--only LAYER] [--rounds N]

Per layer and pass: best ms of PyTorch (the better of channels_last and contiguous), best ms of
Cytograd, GFLOP/s of both, and the ratio (above 1: Cytograd is faster). With one thread both report
processor time, which other programs disturb less.
"""
import argparse
import json
import statistics
import subprocess
import time

import torch


def best_ms(f):
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    f()
    times, start = [], clock()
    while len(times) < 5 or clock() - start < 0.15:
        t = clock()
        f()
        times.append(clock() - t)
    return min(times) * 1e3


def torch_times(n, h, w, c_in, c_out, k, stride, pad):
    best = {}
    for layout in (torch.channels_last, torch.contiguous_format):
        x = torch.rand(n, c_in, h, w).to(memory_format=layout)
        weight = torch.rand(c_out, c_in, k, k).to(memory_format=layout)
        y = torch.conv2d(x, weight, None, stride, pad)
        dy = torch.rand_like(y, memory_format=layout)

        def backward(mask):
            return torch.ops.aten.convolution_backward(
                dy, x, weight, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], 1, mask)

        with torch.no_grad():
            for name, f in (("forward", lambda: torch.conv2d(x, weight, None, stride, pad)),
                            ("backward_data", lambda: backward([True, False, False])),
                            ("backward_weight", lambda: backward([False, True, False]))):
                best[name] = min(best.get(name, 1e9), best_ms(f))
    return best


def own_rows(program, options):
    out = subprocess.run([program, "bench", "ops", "--json", *options], capture_output=True, text=True,
                         check=True).stdout
    return json.loads(out)["ops"]


def own_times(program, layer, threads):
    rows = own_rows(program, ["--filter", f"conv2d/{layer}/", "--threads", str(threads)])
    return {row["name"].split("/")[2]: (row["ms"], row["share_of_peak"]) for row in rows}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"# PyTorch {torch.__version__}, {args.threads} threads")
    print(f"{'layer':13} {'pass':15} {'torch':>8} {'own':>8} ms {'torch':>7} {'own':>7} GFLOP/s  "
          f"ratio  of peak")
    ratios = []
    layers = {row["name"].split("/")[1]: row["sizes"]
              for row in own_rows(args.program, ["--list", "--filter", "conv2d/*/forward"])}
    for layer, sizes in layers.items():
        if args.only not in (None, layer):
            continue
        n, h, w, c_in, c_out, k, stride, pad = sizes.values()
        peer, own = {}, {}
        for _ in range(args.rounds):
            for key, ms in torch_times(n, h, w, c_in, c_out, k, stride, pad).items():
                peer[key] = min(peer.get(key, 1e9), ms)
            for key, row in own_times(args.program, layer, args.threads).items():
                own[key] = min(own.get(key, (1e9, 0)), row)
        out_h, out_w = (h + 2 * pad - k) // stride + 1, (w + 2 * pad - k) // stride + 1
        gflop = 2e-9 * n * out_h * out_w * c_out * k * k * c_in
        for key, ms in peer.items():
            ratios.append(ms / own[key][0])
            print(f"{layer:13} {key:15} {ms:8.3f} {own[key][0]:8.3f}    {gflop / ms * 1e3:7.1f} "
                  f"{gflop / own[key][0] * 1e3:7.1f}          {ratios[-1]:5.2f}  {own[key][1]:5.2f}",
                  flush=True)
    print(f"# geometric mean {statistics.geometric_mean(ratios):.2f}, lowest {min(ratios):.2f}")


if __name__ == "__main__":
    main()
