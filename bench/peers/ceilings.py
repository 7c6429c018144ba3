"""What the card can do at most, by PyTorch's own libraries: the base of every share in bench/gpu.sh.

    ceilings.py OUT.json

Median of 20 after warming up, on random data: a copy of 4 GiB (bytes read and written), and products of 8192 cubed in
bfloat16, TF32 and float32 by cuBLAS.
"""
import json
import statistics
import sys

import torch


def median_seconds(run, repeats=20):
    for _ in range(3):
        run()
    times = []
    for _ in range(repeats):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        end.synchronize()
        times.append(1e-3 * begin.elapsed_time(end))
    return statistics.median(times)


def product_tflops(dtype, tf32):
    torch.backends.cuda.matmul.allow_tf32 = tf32
    n = 8192
    a, b = (torch.randn(n, n, device="cuda").to(dtype) for _ in range(2))
    return 2e-12 * n ** 3 / median_seconds(lambda: a @ b)


def main():
    source = torch.rand(2 ** 30, device="cuda")
    destination = torch.empty_like(source)
    copy = 2e-9 * source.nbytes / median_seconds(lambda: destination.copy_(source))
    del source, destination
    found = {"device": torch.cuda.get_device_name(), "torch": torch.__version__,
             "copy_gigabytes_per_second": round(copy, 1),
             "bf16_tflops": round(product_tflops(torch.bfloat16, False), 1),
             "tf32_tflops": round(product_tflops(torch.float32, True), 1),
             "float32_tflops": round(product_tflops(torch.float32, False), 1)}
    print(json.dumps(found, indent=1))
    with open(sys.argv[1], "w") as out:
        json.dump(found, out, indent=1)


if __name__ == "__main__":
    main()
