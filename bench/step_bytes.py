"""Bytes that a training step moves through the memory of a device, counted from the shapes of the layers.

    python bench/step_bytes.py [--batch 256] [--size 224] [--bandwidth 4.3]

Each pass over a tensor counts once: what a convolution reads again it finds in the cache. A prediction, no measurement.
`stored float32`: an Autocast scope that rounds around every product. `stored bfloat16`: what lies between the
operations is bfloat16. `fused`: also the statistics of norms from the convolution in front of them, data gradients
added where they are stored, and dense layers that read through their first norm. See docs/performance.md.
"""
import argparse
from dataclasses import dataclass


@dataclass
class Flow:
    name: str
    width: int  # bytes of a stored element
    casts: bool  # float32 to bfloat16 and back around products
    statistics: bool  # from the epilogue of the convolution
    adds: bool  # data gradients are added to what is there
    through_norm: bool  # dense layers store no normalised input, and take moments once per channel


FLOWS = [Flow("stored float32", 4, True, False, False, False),
         Flow("stored bfloat16", 2, False, False, False, False), Flow("fused", 2, False, True, True, True)]


class Count:
    """Sums the passes of one step. Tensors are given by their elements."""

    def __init__(self, flow):
        self.flow, self.bytes, self.parameters = flow, 0, 0

    def passes(self, elements, count):
        self.bytes += elements * count * self.flow.width

    def product(self, x, y, parameters, needs_dx=True):
        """x -> y forward, its two gradients; weights are float32 with a bfloat16 copy."""
        self.parameters += parameters
        self.bytes += 2 * (x + y)  # forward
        self.bytes += 2 * (x + y)  # gradient by the filters
        if needs_dx:
            self.bytes += 2 * (x + y)
        if self.flow.casts:  # x, y, dy, dx
            self.bytes += 6 * (x + 2 * y + (x if needs_dx else 0))

    def norm(self, x, residual=False, statistics_free=False, accumulate=False):
        if not (statistics_free and self.flow.statistics):
            self.passes(x, 1)
        self.passes(x, 3 if residual else 2)  # apply
        self.passes(x, 4 if residual else 2)  # sums; with a residual y tells the mask, masked dy is written
        self.passes(x, 4 if accumulate else 3)

    def pool(self, x, y, index_bytes):
        self.passes(x + y, 2)
        self.bytes += 2 * y * index_bytes

    def total(self):
        # bfloat16 copy and its gradient's conversion, read by three products, Adam (30 bytes).
        return self.bytes + self.parameters * (6 + 6 + 8 + 30)


def resnet50(count, batch, size):
    def conv_norm(side, c_in, c_out, kernel, stride=1, residual=False, needs_dx=True):
        out = side // stride
        x, y = batch * side * side * c_in, batch * out * out * c_out
        count.product(x, y, c_out * c_in * kernel * kernel, needs_dx)
        count.norm(y, residual, statistics_free=True)
        return out

    side = conv_norm(size, 3, 64, 7, 2, needs_dx=False)
    count.pool(batch * side * side * 64, batch * (side // 2) ** 2 * 64, 1)
    side //= 2
    channels = 64
    for stage, blocks in enumerate([3, 4, 6, 3]):
        width = 64 << stage
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            x = batch * side * side * channels
            if stride != 1 or channels != 4 * width:
                conv_norm(side, channels, 4 * width, 1, stride)
            conv_norm(side, channels, width, 1)
            out = conv_norm(side, width, width, 3, stride)
            conv_norm(out, width, 4 * width, 1, residual=True)
            count.passes(x, 1 if count.flow.adds else 3)  # both gradients of x are added
            side, channels = out, 4 * width
    count.pool(batch * side * side * channels, batch * channels, 0)
    count.parameters += channels * 1000


def densenet121(count, batch, size):
    side, channels = size // 2, 64
    count.product(batch * size * size * 3, batch * side * side * 64, 64 * 147, needs_dx=False)
    count.norm(batch * side * side * 64, statistics_free=True)
    count.pool(batch * side * side * 64, batch * side * side * 16, 1)
    side //= 2
    for block, layers in enumerate([6, 12, 24, 16]):
        pixels = batch * side * side
        count.passes(pixels * channels, 2)  # into the buffer
        for _ in range(layers):
            x, middle, new = pixels * channels, pixels * 128, pixels * 32
            if count.flow.through_norm:
                count.passes(new, 1)  # statistics of what is added
                count.passes(x, 2 + 4)  # sums, gradient
            else:
                count.norm(x, accumulate=True)
            count.product(x, middle, channels * 128)
            count.norm(middle, statistics_free=True)
            count.product(middle, new, 128 * 32 * 9)
            count.passes(new, 2 + 2)  # append; its gradient is packed
            channels += 32
        count.norm(pixels * channels)
        if block < 3:
            y = pixels * channels // 2
            count.product(pixels * channels, y, channels * channels // 2)
            count.pool(y, y // 4, 0)
            side, channels = side // 2, channels // 2
    count.pool(batch * side * side * channels, batch * channels, 0)
    count.parameters += channels * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--bandwidth", type=float, default=4.3, help="TB/s")
    options = parser.parse_args()
    print(f"| batch {options.batch}, {options.size} px | " + " | ".join(flow.name for flow in FLOWS) + " |")
    print("| --- |" + " --- |" * len(FLOWS))
    for model in (resnet50, densenet121):
        cells = []
        for flow in FLOWS:
            count = Count(flow)
            model(count, options.batch, options.size)
            total = count.total()
            cells.append(f"{total / 1e9:.0f} GB, {total / options.bandwidth / 1e9:.0f} ms")
        print(f"| {model.__name__} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
