"""The peer of bench/data.mjs: OpenCV decodes and resizes, Pillow flips and rotates, one thread each.

Reads one line a run from standard input, `augmented FOLDER SIZE` or `decoded FOLDER SIZE`, and answers each with a line
of JSON: the number of images and the seconds they took. The first line printed names the versions.
"""
import json
import os
import random
import sys
import time

import cv2
import PIL
from PIL import Image

cv2.setNumThreads(1)
print(json.dumps({"opencv": cv2.__version__, "pillow": PIL.__version__}), flush=True)

for line in sys.stdin:
    kind, folder, size = line.rstrip("\n").split("\t")
    side = int(size)
    paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    rng = random.Random(0)
    begun = time.perf_counter()
    for path in paths:
        # Grey files are read as grey, which is the faster way for OpenCV too.
        pixels = cv2.resize(cv2.imread(path, cv2.IMREAD_GRAYSCALE), (side, side), interpolation=cv2.INTER_AREA)
        if kind == "augmented":
            image = Image.fromarray(pixels)
            if rng.random() < 0.5:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            image.rotate(rng.uniform(-15, 15)).tobytes()
    print(json.dumps({"images": len(paths), "seconds": time.perf_counter() - begun}), flush=True)
