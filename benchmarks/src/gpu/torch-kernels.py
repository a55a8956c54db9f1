"""The same kernels by PyTorch on the same GPU: reads a list of {id, operation, sizes, precision}, prints {id, milliseconds} a line.

TensorFloat-32 is off: float32 means float32. Convolutions run in channels-last memory, attention by
scaled_dot_product_attention.
"""

import json
import sys

import torch
from torch.nn import functional as F

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True


def operations(device, dtype):
    def normal(*shape):
        return torch.randn(*shape, device=device, dtype=dtype)

    def images(*shape):
        return normal(*shape).contiguous(memory_format=torch.channels_last)

    def matmul(m, n, k):
        a, b = normal(m, k), normal(k, n)
        return lambda: a @ b

    def conv2d(side, channels, out):
        x, w = images(1, channels, side, side), images(out, channels, 3, 3)
        return lambda: F.conv2d(x, w, padding=1)

    def conv2d_gradient(side, channels, out, mask):
        x, w, dy = images(1, channels, side, side), images(out, channels, 3, 3), images(1, out, side, side)
        return lambda: torch.ops.aten.convolution_backward(dy, x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask)

    def heads(queries, keys, count, dim, requires_grad=False):
        shapes = [(1, count, tokens, dim) for tokens in (queries, keys, keys)]
        return [normal(*shape).requires_grad_(requires_grad) for shape in shapes]

    def attention(*sizes):
        q, k, v = heads(*sizes)
        return lambda: F.scaled_dot_product_attention(q, k, v)

    def attention_gradient(*sizes):
        q, k, v = heads(*sizes, requires_grad=True)
        y = F.scaled_dot_product_attention(q, k, v)
        dy = torch.randn_like(y)
        return lambda: torch.autograd.grad(y, [q, k, v], dy, retain_graph=True)

    def norm_operands(batch, positions, channels, requires_grad):
        side = int(round(positions**0.5))
        x = images(batch, channels, side, positions // side).requires_grad_(requires_grad)
        scale, shift = (normal(channels).requires_grad_(requires_grad) for _ in range(2))
        return x, scale, shift

    def group_norm(*sizes):
        x, scale, shift = norm_operands(*sizes, False)
        return lambda: F.silu(F.group_norm(x, 32, scale, shift, 1e-5))

    def group_norm_gradient(*sizes):
        operands = norm_operands(*sizes, True)
        y = F.silu(F.group_norm(operands[0], 32, *operands[1:], 1e-5))
        dy = torch.randn_like(y)
        return lambda: torch.autograd.grad(y, operands, dy, retain_graph=True)

    def adamw(elements):
        weights = torch.nn.Parameter(normal(elements))
        weights.grad = normal(elements)
        optimizer = torch.optim.AdamW([weights], lr=1e-3, fused=device == "cuda")
        return optimizer.step

    return {
        "matmul": matmul,
        "conv2d": conv2d,
        "conv2dInputGrad": lambda *sizes: conv2d_gradient(*sizes, [True, False, False]),
        "conv2dFilterGrad": lambda *sizes: conv2d_gradient(*sizes, [False, True, False]),
        "attention": attention,
        "attentionGrad": attention_gradient,
        "groupNorm": group_norm,
        "groupNormGrad": group_norm_gradient,
        "adamW": adamw,
    }


def milliseconds(run, rounds=7, target=50.0):
    def timed(repetitions):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repetitions):
            run()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / repetitions

    timed(3)
    repetitions = max(1, min(1000, int(target / max(timed(3), 1e-3))))
    return sorted(timed(repetitions) for _ in range(rounds))[rounds // 2]


def main():
    if not torch.cuda.is_available():
        print(json.dumps({"absent": "PyTorch sees no CUDA device"}), flush=True)
        return
    name = torch.cuda.get_device_name()
    print(json.dumps({"library": f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}, {name}"}), flush=True)
    for request in json.loads(sys.stdin.read()):
        dtype = {"float32": torch.float32, "float16": torch.float16}[request["precision"]]
        try:
            run = operations("cuda", dtype)[request["operation"]](*request["sizes"])
            print(json.dumps({"id": request["id"], "milliseconds": milliseconds(run)}), flush=True)
        except Exception as error:  # reported, and the others go on
            print(json.dumps({"id": request["id"], "failed": f"{type(error).__name__}: {error}"}), flush=True)


main()
