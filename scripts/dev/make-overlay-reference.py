"""Makes test/fixtures/cam/overlay.json with OpenCV and NumPy: the jet table and two overlays.

The arithmetic is show_cam_on_image of jacobgil/pytorch-grad-cam (pytorch_grad_cam/utils/image.py). Run:
    python scripts/dev/make-overlay-reference.py
"""
import json
import pathlib

import cv2
import numpy as np

FIXTURE = pathlib.Path(__file__).parents[2] / "test" / "fixtures" / "cam" / "overlay.json"


def show_cam_on_image(image, mask, image_weight):
    heat = cv2.cvtColor(cv2.applyColorMap(np.uint8(255 * mask), cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    cam = np.float32(1 - image_weight) * (np.float32(heat) / 255) + np.float32(image_weight) * image
    return np.uint8(255 * (cam / np.max(cam)))


def case(name, height, width, channels, image_weight):
    rng = np.random.default_rng(len(name))
    pixels = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    mask = rng.random((height, width), dtype=np.float32)
    mask[0, 0], mask[-1, -1] = 0, np.float32(1) - np.float32(1e-7)
    rgb = np.repeat(pixels, 3 // channels, axis=2)
    result = show_cam_on_image(np.float32(rgb) / 255, mask, image_weight)
    return {"name": name, "height": height, "width": width, "channels": channels, "imageWeight": image_weight,
            "image": pixels.ravel().tolist(), "map": mask.ravel().astype(float).tolist(), "overlay": result.ravel().tolist()}


levels = np.arange(256, dtype=np.uint8).reshape(-1, 1)
table = cv2.applyColorMap(levels, cv2.COLORMAP_JET)[:, 0, ::-1]
cases = [case("grey", 9, 13, 1, 0.5), case("colour", 8, 6, 3, 0.5), case("mostly image", 5, 7, 1, 0.75)]
FIXTURE.parent.mkdir(parents=True, exist_ok=True)
FIXTURE.write_text(json.dumps({"jet": table.tolist(), "cases": cases}) + "\n")
print(f"wrote {FIXTURE}")
