"""PyTorch on the CPU, as a contender: answers the benchmark's requests, one JSON object a line.

usage: serve.py <threads> contiguous|channels_last
"""

import base64
import ctypes
import json
import re
import sys
import time

import torch
from torch.nn import functional as F

from unet import UNet2D, attention

ADAMW = {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.1}
COMPARED_STEPS = 3
GROUP_NORM_EPSILON = 1e-5


class Unsupported(Exception):
    pass


def main(threads, memory_format):
    torch.set_num_threads(threads)
    answer = Server(memory_format)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = getattr(answer, request.pop("command"))(**request)
        except Unsupported as reason:
            reply = {"unsupported": str(reason)}
        except Exception as error:  # the benchmark reports it and goes on with the others
            reply = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


class Server:
    def __init__(self, memory_format):
        self.layout = Layout(memory_format)
        self.step = None

    def describe(self):
        capability = re.search(r"CPU capability usage: (\S+)", torch.__config__.show())
        details = [capability.group(1)] if capability else []
        details += ["oneDNN"] if torch.backends.mkldnn.is_available() else []
        details += [openblas()] if openblas() else ["MKL"] if torch.backends.mkl.is_available() else []
        details += [f"images in {self.layout.axes}"]
        return {
            "description": {
                "library": f"PyTorch {torch.__version__}",
                "details": ", ".join(details),
                "threads": torch.get_num_threads(),
            }
        }

    def prepare(self, workload, inputs):
        tensors = {name: decode(tensor) for name, tensor in inputs.items()}
        self.step, self.compared = WORKLOADS[workload["kind"]](workload, tensors, self.layout)
        return {"done": True}

    def outputs(self):
        return {"outputs": [encode(tensor) for tensor in self.compared()]}

    def run(self, repetitions):
        milliseconds = []
        for _ in range(repetitions):
            start = time.perf_counter()
            self.step()
            milliseconds.append((time.perf_counter() - start) * 1e3)
        return {"milliseconds": milliseconds}

    def release(self):
        self.step = self.compared = None
        return {"done": True}


class Layout:
    """How images lie in memory. PyTorch names their axes NCHW either way."""

    def __init__(self, name):
        self.format = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}[name]
        self.axes = {"contiguous": "NCHW", "channels_last": "NHWC"}[name]

    def image(self, nhwc):
        """Also for filters: OHWI to OIHW."""
        return nhwc.permute(0, 3, 1, 2).contiguous(memory_format=self.format)

    def back(self, tensor):
        return tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor

    def refuse_without_images(self):
        if self.format == torch.channels_last:
            raise Unsupported("no images, so no difference between memory layouts")


# Each function returns what one repetition does, and what the first one computes, in the layouts of the inputs.


def matmul(workload, inputs, layout):
    layout.refuse_without_images()
    a, b = inputs["a"], inputs["b"]
    return lambda: a @ b, lambda: [a @ b]


def conv2d(workload, inputs, layout):
    x, w, dy = (layout.image(inputs[name]) for name in ("x", "filter", "dy"))
    return differentiated(lambda: F.conv2d(x, w, padding=1), [x, w], dy, workload, layout.back)


def group_norm(workload, inputs, layout):
    x, dy = layout.image(inputs["x"]), layout.image(inputs["dy"])
    scale, shift = inputs["scale"], inputs["shift"]
    operation = lambda: F.silu(F.group_norm(x, workload["groups"], scale, shift, GROUP_NORM_EPSILON))
    return differentiated(operation, [x, scale, shift], dy, workload, layout.back)


def attention_workload(workload, inputs, layout):
    layout.refuse_without_images()
    q, k, v, dy = (inputs[name].transpose(1, 2).contiguous() for name in ("q", "k", "v", "dy"))
    return differentiated(lambda: attention(q, k, v), [q, k, v], dy, workload, lambda t: t.transpose(1, 2))


def differentiated(operation, inputs, dy, workload, back):
    """The operation alone, without recording, or with the gradients of its inputs."""
    if not workload["gradients"]:

        def step():
            with torch.no_grad():
                return [operation()]
    else:
        for tensor in inputs:
            tensor.requires_grad_()

        def step():
            y = operation()
            return [y, *torch.autograd.grad(y, inputs, dy)]

    return step, lambda: [back(tensor) for tensor in step()]


def adamw(workload, inputs, layout):
    layout.refuse_without_images()
    weights = inputs["weights"].requires_grad_()
    weights.grad = inputs["gradient"]
    optimizer = torch.optim.AdamW([weights], **ADAMW)

    def first():
        optimizer.step()
        return [weights]

    return optimizer.step, first


def training_step(workload, inputs, layout):
    prefix = "weights."
    model = UNet2D(workload["config"])
    model.load_state_dict({n[len(prefix) :]: t for n, t in inputs.items() if n.startswith(prefix)})
    model = model.to(memory_format=layout.format)
    optimizer = torch.optim.AdamW(model.parameters(), **ADAMW)
    images, noise = layout.image(inputs["images"]), layout.image(inputs["noise"])
    signal, sigma = (inputs[name].view(-1, 1, 1, 1) for name in ("signal", "sigma"))
    labels = inputs["labels"].long()

    def step():
        noisy = images * signal + noise * sigma
        velocity = noise * signal - images * sigma
        optimizer.zero_grad(set_to_none=True)
        loss = F.mse_loss(model(noisy, inputs["timesteps"], labels), velocity)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, lambda: [torch.tensor([step() for _ in range(COMPARED_STEPS)])]


WORKLOADS = {
    "matmul": matmul,
    "conv2d": conv2d,
    "attention": attention_workload,
    "groupNorm": group_norm,
    "adamW": adamw,
    "trainingStep": training_step,
}


def decode(tensor):
    data = bytearray(base64.b64decode(tensor["data"]))
    return torch.frombuffer(data, dtype=torch.float32).reshape(tensor["shape"])


def encode(tensor):
    data = tensor.detach().contiguous().flatten()
    return base64.b64encode(ctypes.string_at(data.data_ptr(), 4 * data.numel())).decode()


def openblas():
    """The OpenBLAS that this process uses, and the processor that it chose kernels for."""
    try:
        with open("/proc/self/maps") as maps:
            path = re.search(r"\S*(openblas|libblas)\S*", maps.read())
        library = ctypes.CDLL(path.group(0))
        library.openblas_get_config.restype = library.openblas_get_corename.restype = ctypes.c_char_p
        version = library.openblas_get_config().decode().split()[1]
        return f"OpenBLAS {version} for {library.openblas_get_corename().decode()}"
    except (OSError, AttributeError):  # no /proc, no OpenBLAS, or one that does not tell
        return None


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
