"""Writes test/fixtures/image/{resize,resize-bilinear,rotate,normalize}.json: what OpenCV, Pillow and PyTorch make of generated images.

    python3 scripts/dev/make-image-reference.py

Needs numpy, opencv-python, pillow and torch. Images are `floor((uniform(name) + 1) * 128)` with the generator of
test/golden/fill.ts; results are given by the SHA-256 of their bytes, small ones in full.
"""
import hashlib
import json
import pathlib

import cv2
import numpy as np
import PIL
import torch
from PIL import Image

from filling import uniform

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures" / "image"


def image(name, width, height, channels):
    values = np.floor((uniform(name, width * height * channels) + 1) * 128).astype(np.uint8)
    return values.reshape((height, width) if channels == 1 else (height, width, channels))


def result(pixels):
    pixels = np.ascontiguousarray(pixels)
    entry = {"sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}
    if pixels.size <= 48:
        entry["values"] = pixels.flatten().tolist()
    return entry


def resize_cases():
    sizes = [(1024, 1024, 224, 224), (1024, 1024, 256, 256), (448, 448, 224, 224), (512, 500, 224, 224),
             (333, 251, 224, 224), (7, 5, 3, 2), (6, 4, 3, 2), (9, 6, 3, 2), (8, 3, 4, 3), (224, 224, 224, 224),
             (100, 300, 100, 7), (641, 17, 1, 1), (1, 90, 1, 4), (2500, 33, 96, 16), (515, 3, 2, 1), (64, 64, 63, 64)]
    rng = np.random.default_rng(0)
    for _ in range(40):
        width, height = (int(v) for v in rng.integers(1, 64, 2))
        sizes.append((width + int(rng.integers(0, 200)), height + int(rng.integers(0, 200)), width, height))
    for number, (width, height, out_width, out_height) in enumerate(sizes):
        for channels in (1, 3):
            name = f"resize-{number}-{channels}"
            resized = cv2.resize(image(name, width, height, channels), (out_width, out_height),
                                 interpolation=cv2.INTER_AREA)
            yield {"name": name, "width": width, "height": height, "channels": channels, "outWidth": out_width,
                   "outHeight": out_height, **result(resized)}


def bilinear_cases():
    """Pillow's antialiased filter and OpenCV's INTER_LINEAR: shrinking, growing, mixed, exact halves, kept axes."""
    sizes = [(1024, 1024, 224, 224), (512, 512, 224, 224), (448, 448, 224, 224), (260, 300, 512, 512), (90, 100, 224, 224),
             (300, 90, 128, 128), (64, 64, 64, 64), (64, 40, 64, 9), (40, 64, 9, 64), (7, 5, 3, 2), (5, 4, 8, 9), (1, 1, 5, 6),
             (1, 9, 4, 2), (641, 17, 1, 1), (8, 6, 4, 3), (8, 6, 4, 4)]
    rng = np.random.default_rng(2)
    for _ in range(24):
        sizes.append(tuple(int(v) for v in rng.integers(1, 220, 4)))
    for number, (width, height, out_width, out_height) in enumerate(sizes):
        channels = 3 if number % 3 == 2 else 1
        name = f"bilinear-{number}"
        pixels = image(name, width, height, channels)
        shape = {"name": name, "width": width, "height": height, "channels": channels, "outWidth": out_width,
                 "outHeight": out_height}
        pillow = Image.fromarray(pixels).resize((out_width, out_height), Image.Resampling.BILINEAR)
        yield {**shape, "interpolation": "pillow-bilinear", **result(np.asarray(pillow))}
        opencv = cv2.resize(pixels, (out_width, out_height), interpolation=cv2.INTER_LINEAR)
        yield {**shape, "interpolation": "opencv-bilinear", **result(opencv)}


def rotate_cases():
    angles = [0.0, 7.3, -7.3, 15.0, -14.999, 1e-14, 0.001, 45.0, 90.0, -90.0, 180.0, 270.0, 360.0, 359.99999999999994,
              -123.456, 719.5]
    rng = np.random.default_rng(1)
    sizes = [(224, 224), (5, 4), (1, 1), (1, 37), (64, 63), (300, 200)]
    cases = [(w, h, a, flip) for w, h in sizes for a in angles for flip in (False, True)]
    for _ in range(60):
        width, height = (int(v) for v in rng.integers(1, 130, 2))
        cases.append((width, height, float(rng.uniform(-15, 15)), bool(rng.integers(2))))
    for number, (width, height, angle, flip) in enumerate(cases):
        channels = 1 if number % 3 else 3
        name = f"rotate-{number}"
        picture = Image.fromarray(image(name, width, height, channels))
        if flip:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        yield {"name": name, "width": width, "height": height, "channels": channels, "angle": angle, "flip": flip,
               **result(np.asarray(picture.rotate(angle)))}


def normalize_table():
    """ToTensor's division and Normalize's two steps on each byte, as float32 bits: rows of red, green, blue."""
    scaled = torch.arange(256, dtype=torch.uint8).to(torch.float32).div(255)
    mean = torch.tensor([0.485, 0.456, 0.406])
    std = torch.tensor([0.229, 0.224, 0.225])
    table = scaled.view(256, 1).expand(256, 3).clone().sub_(mean).div_(std)
    return table.numpy().view(np.uint32).tolist()


def write(name, source, key, values):
    rows = ",\n".join(json.dumps(value) for value in values)
    (FOLDER / f"{name}.json").write_text(f'{{"source": {json.dumps(source)}, "{key}": [\n{rows}\n]}}\n')


write("resize", f"OpenCV {cv2.__version__}, INTER_AREA", "cases", list(resize_cases()))
write("resize-bilinear", f"Pillow {PIL.__version__}, BILINEAR; OpenCV {cv2.__version__}, INTER_LINEAR", "cases",
      list(bilinear_cases()))
write("rotate", f"Pillow {PIL.__version__}, transpose and rotate", "cases", list(rotate_cases()))
write("normalize", f"PyTorch {torch.__version__}", "bits", normalize_table())
