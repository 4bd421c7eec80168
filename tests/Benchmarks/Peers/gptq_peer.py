"""GPTQ of one layer, written from the paper (Frantar et al. 2022, arXiv 2210.17323, algorithm 1) with PyTorch, as a straightforward implementation does it.

Usage: gptq_peer.py FOLDER ROWS COLUMNS TOKENS BATCHES BITS BLOCK_SIZE DAMPENING THREADS
Reads FOLDER as layer_problem.py says.
Writes FOLDER/peer.f32, the quantized weights. Prints the seconds taken: in all, of the Hessian, of its factors, of the columns.
"""
import sys
import time

import torch

from layer_problem import hessian_of, inverse_factor, read

folder = sys.argv[1]
rows, columns, tokens, batches, bits, block_size = (int(a) for a in sys.argv[2:8])
dampening = float(sys.argv[8])
weights, inputs = read(folder, rows, columns, tokens, int(sys.argv[9]))

start = time.perf_counter()
hessian = hessian_of(inputs, batches)
hessian_done = time.perf_counter()

# Scales of the original blocks (static groups): -extreme / 2^(bits-1), so that the extreme gets the least code.
levels = 2 ** (bits - 1)
groups = weights.reshape(rows, columns // block_size, block_size)
low, high = groups.amin(2), groups.amax(2)
scales = torch.where(high >= -low, high, low) / -levels
scales[scales == 0] = 1

# Act-order: columns by descending diagonal.
order = torch.argsort(torch.diag(hessian), descending=True)
w = weights[:, order].clone()
u = inverse_factor(hessian[order][:, order], dampening)
del hessian
factors_done = time.perf_counter()

quantized = torch.empty_like(w)
for first in range(0, columns, 128):
    last = min(first + 128, columns)
    block = w[:, first:last].clone()
    errors = torch.empty_like(block)
    u_block = u[first:last, first:last]
    for i in range(last - first):
        column = block[:, i]
        scale = scales[:, order[first + i] // block_size]
        q = torch.clamp(torch.round(column / scale), -levels, levels - 1) * scale
        quantized[:, first + i] = q
        error = (column - q) / u_block[i, i]
        block[:, i:] -= error.unsqueeze(1).matmul(u_block[i, i:].unsqueeze(0))
        errors[:, i] = error
    w[:, last:] -= errors.matmul(u[first:last, last:])
result = torch.empty_like(quantized)
result[:, order] = quantized
done = time.perf_counter()

result.numpy().tofile(f"{folder}/peer.f32")
print(done - start, hessian_done - start, factors_done - hessian_done, done - factors_done)
