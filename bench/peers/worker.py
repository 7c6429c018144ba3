"""One peer in a process of its own, for compare.py.

    worker.py '{"arm": "torch-nhwc", "model": "resnet50", "mode": "train", "batch": 16, "size": 224, "threads": 2}'

Prints {"ready": true}; then for each line with a number k on standard input runs the work once untimed and k times
timed, and prints {"seconds": [...], "peak_mb": .., "import_mb": ..}. Arms: torch-nchw, torch-nhwc (channels_last),
compile-nchw, compile-nhwc (torch.compile), onnxruntime; `export` writes the model to "onnx" and ends.

"device": "cuda" runs PyTorch on the card with "precision" float32, tf32 or bf16 (autocast, float32 weights);
torch.compile then tunes and captures graphs (max-autotune). There the memory is that of tensors on the card.
"""
import contextlib
import importlib
import json
import os
import sys
import time

CLASSIFIERS = ("resnet18", "resnet50", "densenet121")
DETECTORS = ("mask-rcnn-resnet18", "mask-rcnn-resnet50")  # at 480 x 640 pixels, as bench/models/detector.cpp


def status_mb(field):
    """A figure of /proc/self/status in 1e6 bytes; not getrusage, which inherits the parent's peak."""
    with open("/proc/self/status") as lines:
        for line in lines:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def torch_setup(spec):
    import torch
    import torchvision  # noqa: F401, part of the import cost

    torch.set_num_threads(spec["threads"])
    torch.set_num_interop_threads(1)
    torch.manual_seed(0)
    if on_card(spec):
        torch.backends.cudnn.benchmark = True
        # What is left in float32 beside bfloat16 may use TF32 too: the peer's fastest setting.
        fast = spec["precision"] != "float32"
        torch.backends.cudnn.allow_tf32 = fast
        torch.backends.cuda.matmul.allow_tf32 = fast
        torch.set_default_device("cuda")
    return torch


def on_card(spec):
    return spec.get("device", "cpu") == "cuda"


def precision(torch, spec):
    """The context of a forward pass."""
    if on_card(spec) and spec["precision"] == "bf16":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return contextlib.nullcontext()


def compiled(torch, spec, function):
    return torch.compile(function, mode="max-autotune" if on_card(spec) else None)


def classifier(spec):
    import torchvision

    return getattr(torchvision.models, spec["model"])(weights=None)


def layout_of(torch, spec):
    return torch.channels_last if spec["arm"].endswith("nhwc") else torch.contiguous_format


def reference(name):
    """A module of tests/reference."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/reference"))
    return importlib.import_module(name)


def detector(torch, spec):
    """Mask R-CNN with the weights that Cytograd's has, its images and, for each, its objects."""
    parity = reference("mask_rcnn_parity")
    height, width = 480, 640
    model = parity.make(spec["model"].removeprefix("mask-rcnn-"), 2, height, width, torch.float32, trainable_layers=3)
    model = model.to("cuda" if on_card(spec) else "cpu").to(memory_format=layout_of(torch, spec))
    images = [parity.image(n, height, width, torch.float32) for n in range(spec["batch"])]
    boxes, masks = [], []
    for i in range(8):
        ry, rx, y, x = 40 + 10 * (i % 4), 75 - 10 * (i % 4), 120 + 240 * (i // 4), 80 + 160 * (i % 4)
        boxes.append([x - rx, y - ry, x + rx + 1, y + ry + 1])
        masks.append(parity.ellipse(height, width, y, x, ry, rx))
    target = {"boxes": torch.tensor(boxes, dtype=torch.float32), "labels": torch.ones(8, dtype=torch.int64),
              "masks": torch.stack(masks)}
    return model, images, [target] * spec["batch"]


def detection(spec):
    torch = torch_setup(spec)
    imported = status_mb("VmRSS")
    model, images, _ = detector(torch, spec)
    model.eval()

    def run():
        with torch.inference_mode(), precision(torch, spec):
            return model(images)

    return run, imported


def inference(spec):
    if spec["model"] in DETECTORS:
        return detection(spec)
    torch = torch_setup(spec)
    imported = status_mb("VmRSS")
    model = classifier(spec).eval().to(memory_format=layout_of(torch, spec))
    x = torch.rand(spec["batch"], 3, spec["size"], spec["size"]) * 2 - 1
    x = x.contiguous(memory_format=layout_of(torch, spec))
    if spec["arm"].startswith("compile"):
        import torch._inductor.config

        torch._inductor.config.freezing = True  # folds and packs weights
        model = compiled(torch, spec, model)

        def run():
            with torch.no_grad(), precision(torch, spec):  # freezing does not know inference_mode's tensors
                model(x)
    else:
        def run():
            with torch.inference_mode(), precision(torch, spec):
                model(x)
    return run, imported


def vae_loss(torch, spec):
    """A function without arguments that gives the loss of a step, and the model."""
    vae_parity = reference("vae_parity")
    batch = spec["batch"]
    if spec["model"] == "rna-vae":
        model = vae_parity.RnaVae()
        x, reference = torch.rand(batch, 2432), torch.rand(batch, 50) * 2 - 1
        return model, lambda: vae_parity.rna_vae_loss(model(x, torch.randn(batch, 50)), x, reference)[0]
    layout = layout_of(torch, spec)
    model = vae_parity.ImageVae().to(memory_format=layout)
    h = (torch.rand(batch, 256, 14, 14) * 2 - 1).contiguous(memory_format=layout)
    image = torch.rand(batch, 3, 128, 128).contiguous(memory_format=layout)
    mask = torch.rand(batch, 1, 128, 128)
    return model, lambda: vae_parity.image_vae_loss(model(h, torch.randn(batch, 50)), h, image, mask)[0]


def training(spec):
    torch = torch_setup(spec)
    imported = status_mb("VmRSS")
    if spec["model"] in CLASSIFIERS:
        layout = layout_of(torch, spec)
        model = classifier(spec).train().to(memory_format=layout)
        x = (torch.rand(spec["batch"], 3, spec["size"], spec["size"]) * 2 - 1).contiguous(memory_format=layout)
        labels = torch.arange(spec["batch"]) % 1000
        optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, fused=True)

        def loss():
            with precision(torch, spec):
                return torch.nn.functional.cross_entropy(model(x), labels)
    elif spec["model"] in DETECTORS:
        model, images, targets = detector(torch, spec)
        model.train()
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimiser = torch.optim.SGD(trained, lr=1e-6, momentum=0.9, fused=True)

        def loss():
            with precision(torch, spec):
                return sum(model(images, targets).values())
    else:
        model, plain = vae_loss(torch, spec)

        def loss():
            with precision(torch, spec):
                return plain()
        decay = 1e-6 if spec["model"] == "image-vae" else 0
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=decay, fused=True)
    if spec["arm"].startswith("compile"):
        loss = compiled(torch, spec, loss)

    def run():
        loss().backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return run, imported


def onnxruntime_inference(spec):
    import numpy as np
    import onnxruntime as ort

    imported = status_mb("VmRSS")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = spec["threads"]
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(spec["onnx"], options, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).uniform(-1, 1, (spec["batch"], 3, spec["size"], spec["size"])).astype(np.float32)
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: x}), imported


def export(spec):
    import torch

    x = torch.rand(spec["batch"], 3, spec["size"], spec["size"])
    torch.onnx.export(classifier(spec).eval(), (x,), spec["onnx"], dynamo=True, verbose=False)


def meters(spec):
    """What waits for the work to end, and the peak memory in 1e6 bytes."""
    if not on_card(spec):
        return lambda: None, lambda: status_mb("VmHWM")
    import torch

    return torch.cuda.synchronize, lambda: torch.cuda.max_memory_allocated() / 1e6


def main():
    spec = json.loads(sys.argv[1])
    # What libraries print must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if spec["arm"] == "export":
        export(spec)
        return
    make = onnxruntime_inference if spec["arm"] == "onnxruntime" else (
        training if spec["mode"] == "train" else inference)
    run, imported = make(spec)
    finished, peak_mb = meters(spec)
    run()  # compiles where there is something to compile
    finished()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        run()
        finished()
        seconds = []
        for _ in range(int(line)):
            begin = time.perf_counter()
            run()
            finished()
            seconds.append(time.perf_counter() - begin)
        print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), "import_mb": imported}),
              file=answers, flush=True)


if __name__ == "__main__":
    main()
