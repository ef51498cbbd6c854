#!/usr/bin/env python3
"""Times PyTorch's attention, forward and backward, for scripts/benchmarks/benchmark-attention.py.

usage: peer-attention.py TOKENS HEADS WIDTH f32|bf16 THREADS ROUNDS

Prints a line of JSON for every pass: its seconds, and those of all processors.
"""

import json
import sys
import time

import torch


def timed(name, body):
    start, busy = time.perf_counter(), time.process_time()
    result = body()
    print(json.dumps({"pass": name, "seconds": time.perf_counter() - start,
                      "busy": time.process_time() - busy}), flush=True)
    return result


def main():
    tokens, heads, width = map(int, sys.argv[1:4])
    torch.set_num_threads(int(sys.argv[5]))
    torch.manual_seed(1)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[sys.argv[4]]
    # As a transformer has them: heads side by side in a token.
    q, k, v = (torch.randn(1, tokens, heads, width, dtype=dtype).transpose(1, 2).requires_grad_()
               for _ in range(3))
    dy = torch.randn(1, tokens, heads, width, dtype=dtype).transpose(1, 2)
    for _ in range(int(sys.argv[6])):
        y = timed("forward", lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v))
        timed("backward", lambda: torch.autograd.grad(y, (q, k, v), dy))
        del y


if __name__ == "__main__":
    main()
