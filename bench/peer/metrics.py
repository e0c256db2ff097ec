"""The peer of bench/metrics.mjs: mean one-against-all AUROC with scikit-learn, once and for each bootstrap resample.

Answers each line of JSON, {"probabilities": FILE.npy, "labels": FILE.npy, "indices": FILE.npy}, with the mean AUROC of all
and of each row of indices, and the seconds that these took.
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
    probabilities, labels, indices = (np.load(request[name]) for name in ("probabilities", "labels", "indices"))
    indices = indices.astype(np.int64)
    begun = time.perf_counter()
    values = [mean_auroc(probabilities, labels)]
    values += [mean_auroc(probabilities[drawn], labels[drawn]) for drawn in indices]
    print(json.dumps({"aurocs": values, "seconds": time.perf_counter() - begun}), flush=True)
