"""Makes test/fixtures/models/pvts.json with PyTorch and timm: what the PVTs must equal.

For each size the SHA-256 of the state dict's keys and shapes in order, the number of parameters, and in float64, with filled
weights (test/golden/fill.ts has the generator's twin), three classes and two images of 47 x 61 px, whose sides no stage
divides: the logits, and of their sum weighted by `pvts.g` the norm of the gradient by the images and by every first weight
of attention in each stage. Run:
    python scripts/dev/make-pvt-reference.py
"""
import hashlib
import json
import pathlib

import numpy as np
import torch

import torchvision_names  # noqa: F401  before timm, which imports torchvision
import timm  # noqa: E402

from filling import fill_state, uniform

FIXTURE = pathlib.Path(__file__).parents[2] / "test" / "fixtures" / "models" / "pvts.json"
CLASSES, SHAPE = 3, (2, 3, 47, 61)
NAMES = ["pvt_v2_b0", "pvt_v2_b1", "pvt_v2_b2", "pvt_v2_b2_li", "pvt_v2_b3", "pvt_v2_b4", "pvt_v2_b5"]


def filled(name, shape):
    return torch.from_numpy(uniform(name, int(np.prod(shape))).astype(np.float32).reshape(shape)).double()


def reference(name):
    model = timm.create_model(name, num_classes=CLASSES).double().eval()
    state = model.state_dict()
    lines = [f"{key} {list(value.shape)}".replace(", ", ",") for key, value in state.items()]
    model.load_state_dict({key: torch.from_numpy(np.asarray(fill_state(key, tuple(value.shape)))) for key, value in state.items()})
    images = filled("pvts.x", SHAPE).requires_grad_()
    logits = model(images)
    (logits * filled("pvts.g", (SHAPE[0], CLASSES))).sum().backward()
    parameters = dict(model.named_parameters())
    watched = [f"stages.{i}.blocks.0.attn.{part}.weight" for i in range(4) for part in ("q", "kv", "sr")]
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "entries": len(lines),
        "state": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        "logits": logits.detach().flatten().tolist(),
        "gradients": {"x": images.grad.norm().item()}
        | {key: parameters[key].grad.norm().item() for key in watched if key in parameters},
    }


def main():
    content = {
        "torch": torch.__version__,
        "timm": timm.__version__,
        "classes": CLASSES,
        "shape": SHAPE,
        "models": {name: reference(name) for name in NAMES},
    }
    FIXTURE.write_text(json.dumps(content, indent=0) + "\n")


main()
