"""The peer of bench/heatmaps.mjs: NumPy's histogram2d and SciPy's gaussian_filter, as GazeLT's program calls them.

Answers each line of JSON, {"x": FILE.npy, "y": FILE.npy, "size": N, "sigma": S, "out": FILE.npy or null}, with the
seconds that the map took. Both are single-threaded.
"""
import json
import sys
import time

import numpy as np
import scipy
from scipy.ndimage import gaussian_filter

print(json.dumps({"scipy": scipy.__version__, "numpy": np.__version__}), flush=True)

for line in sys.stdin:
    request = json.loads(line)
    x, y = np.load(request["x"]).astype(np.float64), np.load(request["y"]).astype(np.float64)
    size = request["size"]
    begun = time.perf_counter()
    histogram, _, _ = np.histogram2d(y, x, bins=(size, size), range=[[0, size], [0, size]])
    heatmap = gaussian_filter(histogram, sigma=request["sigma"])
    seconds = time.perf_counter() - begun
    if request["out"]:
        np.save(request["out"], heatmap)
    print(json.dumps({"seconds": seconds}), flush=True)
