"""The peer of bench/metrics.mjs: mean one-against-all AUROC with scikit-learn, once and for each bootstrap resample.

Answers each line of JSON, {"probabilities": FILE.npy, "labels": FILE.npy, "resamples": N}, with the mean AUROC and the
seconds that all took.
"""
import json
import sys
import time

import numpy as np
import sklearn
from sklearn.metrics import roc_auc_score

print(json.dumps({"scikit-learn": sklearn.__version__, "numpy": np.__version__}), flush=True)


def mean_auroc(probabilities, labels):
    classes = range(probabilities.shape[1])
    return float(np.mean([roc_auc_score(labels == k, probabilities[:, k]) for k in classes]))


for line in sys.stdin:
    request = json.loads(line)
    probabilities, labels = np.load(request["probabilities"]), np.load(request["labels"])
    rng = np.random.default_rng(0)
    begun = time.perf_counter()
    value = mean_auroc(probabilities, labels)
    for _ in range(request["resamples"]):
        drawn = rng.integers(0, len(labels), len(labels))
        mean_auroc(probabilities[drawn], labels[drawn])
    print(json.dumps({"auroc": value, "seconds": time.perf_counter() - begun}), flush=True)
