"""Makes test/fixtures/models/resnets.json with PyTorch and torchvision: what the ResNets must equal.

For each architecture the state dict's keys and shapes in order, the number of parameters, and in float64, with filled
weights (test/golden/fill.ts has the generator's twin), five classes and two images of 64 px: the logits in evaluation and
in training mode, and running statistics after that one training pass. Run:
    python scripts/dev/make-model-reference.py
"""
import json
import pathlib

import numpy as np
import torch

from filling import fill_state, uniform

import torchvision_names  # noqa: F401  before torchvision
from torchvision import models  # noqa: E402

FIXTURE = pathlib.Path(__file__).parents[2] / "test" / "fixtures" / "models" / "resnets.json"
CLASSES, BATCH, SIZE = 5, 2, 64


def reference(name):
    model = getattr(models, name)(weights=None, num_classes=CLASSES).double()
    state = model.state_dict()
    model.load_state_dict({key: torch.from_numpy(np.asarray(fill_state(key, tuple(value.shape)))) for key, value in state.items()})
    x = uniform("models.x", BATCH * 3 * SIZE * SIZE).astype(np.float32).reshape(BATCH, 3, SIZE, SIZE)
    images = torch.from_numpy(x).double()
    with torch.no_grad():
        evaluation = model.eval()(images)
        training = model.train()(images)
    after = model.state_dict()
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "state": [f"{key} {list(value.shape)}".replace(", ", ",") for key, value in state.items()],
        "evaluation": evaluation.flatten().tolist(),
        "training": training.flatten().tolist(),
        "running_mean": after["layer4.1.bn2.running_mean"][:4].tolist(),
        "running_var": after["layer4.1.bn2.running_var"][:4].tolist(),
    }


def main():
    torch.manual_seed(0)
    content = {
        "torch": torch.__version__,
        "classes": CLASSES,
        "batch": BATCH,
        "size": SIZE,
        "models": {name: reference(name) for name in ("resnet18", "resnet34", "resnet50", "resnet101")},
    }
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    FIXTURE.write_text(json.dumps(content, indent=0) + "\n")


main()
