"""SparseGPT of one layer, written from the paper (Frantar and Alistarh 2023, arXiv 2301.00774, algorithm 1) with PyTorch, as a straightforward implementation does it.

Usage: sparsegpt_peer.py FOLDER ROWS COLUMNS TOKENS BATCHES SPARSITY DAMPENING THREADS
Reads FOLDER as layer_problem.py says.
Writes FOLDER/peer.f32, the pruned weights. Prints the seconds taken: in all but the Hessian, of the Hessian, of its factors, of the columns.
"""
import sys
import time

import torch

from layer_problem import hessian_of, inverse_factor, read

folder = sys.argv[1]
rows, columns, tokens, batches = (int(a) for a in sys.argv[2:6])
sparsity, dampening = float(sys.argv[6]), float(sys.argv[7])
weights, inputs = read(folder, rows, columns, tokens, int(sys.argv[8]))

start = time.perf_counter()
hessian = hessian_of(inputs, batches)
hessian_done = time.perf_counter()

w = weights.clone()
u = inverse_factor(hessian, dampening)
factors_done = time.perf_counter()

for first in range(0, columns, 128):
    last = min(first + 128, columns)
    block = w[:, first:last].clone()
    errors = torch.empty_like(block)
    u_block = u[first:last, first:last]
    # The least w²/[H⁻¹]² of the block go, over all rows.
    scores = block ** 2 / torch.diag(u_block).unsqueeze(0) ** 2
    threshold = torch.sort(scores.flatten())[0][int(scores.numel() * sparsity)]
    goes = scores < threshold
    for i in range(last - first):
        column = block[:, i]
        kept = column.clone()
        kept[goes[:, i]] = 0
        error = (column - kept) / u_block[i, i]
        block[:, i:] -= error.unsqueeze(1).matmul(u_block[i, i:].unsqueeze(0))
        block[:, i] = kept
        errors[:, i] = error
    w[:, first:last] = block
    w[:, last:] -= errors.matmul(u[first:last, last:])
done = time.perf_counter()

w.numpy().tofile(f"{folder}/peer.f32")
print(done - hessian_done, hessian_done - start, factors_done - hessian_done, done - factors_done)
