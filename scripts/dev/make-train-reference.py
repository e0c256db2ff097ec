"""Makes test/fixtures/training/pytorch-20-steps.json with PyTorch and torchvision: steps of training in float64.

ResNet-18 in training mode, filled weights (test/golden/fill.ts has the generator's twin), 64 px, batches of four, eight
classes, Adam at 1e-4; 20 steps with cross-entropy, and 6 (a step takes a second) with LDAM and 'balanced' class
weights. Run:
    python scripts/dev/make-train-reference.py
It runs everything with one and with two threads and refuses to write where the losses differ by more than 1e-9.
"""
import json
import pathlib

import numpy as np
import torch

import torchvision_names  # noqa: F401  before torchvision
from torchvision.models import resnet18  # noqa: E402

from filling import fill_state, samples, uniform  # noqa: E402

FIXTURE = pathlib.Path(__file__).parents[2] / "test" / "fixtures" / "training" / "pytorch-20-steps.json"
BATCH, SIZE, LR = 4, 64, 1e-4
COUNTS = [500, 200, 100, 50, 20, 10, 5, 2]


def batch(step):
    x = uniform(f"train.x{step}", BATCH * 3 * SIZE * SIZE).astype(np.float32).reshape(BATCH, 3, SIZE, SIZE)
    labels = np.floor((uniform(f"train.labels{step}", BATCH) + 1) / 2 * len(COUNTS)).astype(np.int64)
    return torch.from_numpy(x).double(), torch.from_numpy(labels)


def cross_entropy(logits, labels):
    return torch.nn.functional.cross_entropy(logits, labels)


def ldam(logits, labels):
    roots = 1 / np.sqrt(np.sqrt(np.array(COUNTS, dtype=np.float64)))
    margins = torch.from_numpy((roots * (0.5 / roots.max())).astype(np.float32)).double()
    weights = torch.from_numpy((sum(COUNTS) / (len(COUNTS) * np.array(COUNTS))).astype(np.float32)).double()
    shifted = logits - torch.nn.functional.one_hot(labels, len(COUNTS)) * margins
    return torch.nn.functional.cross_entropy(30 * shifted, labels, weight=weights)


def train(loss_of, steps, threads):
    torch.set_num_threads(threads)
    model = resnet18(num_classes=len(COUNTS)).double()
    state = model.state_dict()
    model.load_state_dict({k: torch.from_numpy(fill_state(k, tuple(v.shape))).to(v.dtype) for k, v in state.items()})
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    losses = []
    for step in range(steps):
        x, labels = batch(step)
        optimizer.zero_grad()
        loss = loss_of(model(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, model.state_dict()


KEYS = ["conv1.weight", "bn1.weight", "bn1.running_mean", "bn1.running_var", "layer1.0.conv1.weight",
        "layer2.0.downsample.0.weight", "layer3.1.bn2.bias", "layer4.1.conv2.weight", "layer4.1.bn2.running_var",
        "fc.weight", "fc.bias"]


runs = {}
for name, loss_of, steps in [("crossEntropy", cross_entropy, 20), ("ldam", ldam, 6)]:
    losses, state = train(loss_of, steps, 1)
    others, _ = train(loss_of, steps, 2)
    worst = max(abs(a - b) / abs(a) for a, b in zip(losses, others))
    print(f"{name}: {losses[0]:.6f} ... {losses[-1]:.6f}, one against two threads {worst:.1e}")
    if worst > 1e-9:
        raise SystemExit(f"{name} is not reproducible to 1e-9")
    runs[name] = {"losses": losses, "state": {key: samples(state[key]) for key in KEYS}}

FIXTURE.parent.mkdir(parents=True, exist_ok=True)
FIXTURE.write_text(json.dumps({"torch": torch.__version__, "batch": BATCH, "size": SIZE, "lr": LR,
                               "counts": COUNTS, "runs": runs}, indent=1) + "\n")
print(f"wrote {FIXTURE}")
