"""What the peers that prune or quantize one layer share: reading the problem, and the Hessian of its inputs.

FOLDER/weights.f32 is [ROWS, COLUMNS]; FOLDER/inputs.f32 holds distinct batches of [TOKENS, COLUMNS].
"""
import numpy as np
import torch


def read(folder, rows, columns, tokens, threads):
    """The layer's weights and the batches of its inputs; PyTorch made ready."""
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    weights = torch.from_numpy(np.fromfile(f"{folder}/weights.f32", dtype=np.float32).reshape(rows, columns))
    inputs = torch.from_numpy(np.fromfile(f"{folder}/inputs.f32", dtype=np.float32).reshape(-1, tokens, columns))
    torch.linalg.cholesky(torch.eye(64))  # what is loaded on first use is not measured
    return weights, inputs


def hessian_of(inputs, batches):
    """H = 2/n · sum of xᵀ·x over the batches, taken in turn until there were that many."""
    _, tokens, columns = inputs.shape
    hessian = torch.zeros(columns, columns)
    for b in range(batches):
        x = inputs[b % len(inputs)]
        hessian.addmm_(x.t(), x, alpha=2 / (tokens * batches))
    return hessian


def inverse_factor(hessian, dampening):
    """The upper Cholesky factor of the dampened Hessian's inverse; the Hessian is changed."""
    hessian.diagonal().add_(dampening * torch.mean(torch.diag(hessian)))
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)
