"""Full singular value decomposition of a float32 matrix by NumPy (LAPACK's gesdd on the BLAS it was built with).

Usage: svd_peer.py FOLDER ROWS COLUMNS THREADS
Reads FOLDER/matrix.f32 [ROWS, COLUMNS]. Writes FOLDER/values.f32, the singular values. Prints the seconds taken.
"""
import os
import sys
import time

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = sys.argv[4]

import numpy as np  # reads the number of threads as it is loaded

folder = sys.argv[1]
rows, columns = int(sys.argv[2]), int(sys.argv[3])
matrix = np.fromfile(f"{folder}/matrix.f32", dtype=np.float32).reshape(rows, columns)
np.linalg.svd(matrix[:64, :64])  # what is loaded on first use is not measured

start = time.perf_counter()
left, values, right = np.linalg.svd(matrix, full_matrices=False)
done = time.perf_counter()

values.tofile(f"{folder}/values.f32")
print(done - start)
