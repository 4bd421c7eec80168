"""k-means of numbers with scikit-learn.

Usage: kmeans_peer.py FOLDER CLUSTERS THREADS
Reads FOLDER/numbers.f32. One start (k-means++, scikit-learn's own default), its other defaults as they are. Writes FOLDER/centers.f32, ascending.
Prints the seconds of fit and the rounds taken.
"""
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = sys.argv[3]

import numpy as np
from sklearn.cluster import KMeans

numbers = np.fromfile(f"{sys.argv[1]}/numbers.f32", dtype=np.float32).reshape(-1, 1)
KMeans(2, n_init=1, random_state=1).fit(numbers[:1000])  # what is loaded on first use is not measured
start = time.perf_counter()
model = KMeans(int(sys.argv[2]), n_init=1, random_state=1, copy_x=False).fit(numbers)
seconds = time.perf_counter() - start
np.sort(model.cluster_centers_.ravel()).astype(np.float32).tofile(f"{sys.argv[1]}/centers.f32")
print(seconds, model.n_iter_)
