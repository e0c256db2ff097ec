"""Makes test/fixtures/training/student-20-steps.json with PyTorch: 20 steps of GazeLT's student in float64.

ResNet-50 with the two-layer head in training mode, filled weights, 64 px, batches of two, twenty classes with the counts
of NIH-CXR-LT; LDAM with 'balanced' weights plus 0.01 times the distillation from two teachers' vectors; Adam. Run:
    python scripts/dev/make-student-steps-reference.py
Batches of two make a chaotic course: Adam turns the rounding of a gradient near zero into a step, and kinks do the rest. At
GazeLT's own rate, 1e-4, PyTorch differs from itself by more than 1e-5 after some 15 steps if the initial weights change in
their 14th digit, so that there is nothing to agree with; hence 1e-5. The program tries such a change, and refuses to write
where the losses then differ by more than 1e-7.
"""
import json
import pathlib
import sys

import numpy as np
import torch
from torch.nn import functional as F

from filling import fill, fill_state, samples, uniform

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench" / "peer"))
from resnet import MODELS  # noqa: E402

FIXTURE = ROOT / "test" / "fixtures" / "training" / "student-20-steps.json"
STEPS, BATCH, SIZE, LR, KD = 20, 2, 64, 1e-5, 0.01
COUNTS = [45439, 6941, 3135, 2875, 2036, 1665, 1485, 868, 811, 800, 519, 435, 339, 229, 213, 121, 59, 49, 32, 7]
KEYS = ["conv1.weight", "bn1.running_mean", "bn1.running_var", "layer1.0.conv1.weight", "layer2.0.downsample.0.weight",
        "layer3.5.bn3.bias", "layer4.2.conv3.weight", "layer4.2.bn3.running_var", "fc.0.weight", "fc.0.bias",
        "fc.1.weight", "fc.1.bias"]


def batch(step):
    x = fill(f"student.x{step}", (BATCH, 3, SIZE, SIZE))
    labels = np.floor((uniform(f"student.labels{step}", BATCH) + 1) / 2 * len(COUNTS)).astype(np.int64)
    teachers = [fill(f"student.{name}{step}", (BATCH, 64)) for name in ("focal", "global")]
    return torch.from_numpy(x).double(), torch.from_numpy(labels), [torch.from_numpy(t).double() for t in teachers]


def ldam(logits, labels):
    roots = 1 / np.sqrt(np.sqrt(np.array(COUNTS, dtype=np.float64)))
    margins = torch.from_numpy((roots * (0.5 / roots.max())).astype(np.float32)).double()
    weights = torch.from_numpy((sum(COUNTS) / (len(COUNTS) * np.array(COUNTS))).astype(np.float32)).double()
    shifted = logits - F.one_hot(labels, len(COUNTS)) * margins
    return F.cross_entropy(30 * shifted, labels, weight=weights)


def distillation(features, teachers):
    student = F.log_softmax(features, dim=1)
    return sum(0.5 * F.kl_div(student, F.softmax(t, dim=1), reduction="batchmean") for t in teachers)


def initial(key, shape, noise):
    weights = fill_state(key, shape).astype(np.float64)
    return torch.from_numpy(np.asarray(weights * (1 + noise * uniform("noise" + key, weights.size).reshape(shape))))


def train(noise):
    model = MODELS["resnet50"](len(COUNTS)).double()
    state = model.state_dict()
    model.load_state_dict({k: initial(k, tuple(v.shape), noise).to(v.dtype) for k, v in state.items()})
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    run = {"losses": [], "distillation": [], "state": {}}
    for step in range(STEPS):
        x, labels, teachers = batch(step)
        optimizer.zero_grad()
        logits, features = model(x)
        kd = distillation(features, teachers)
        loss = ldam(logits, labels) + KD * kd
        loss.backward()
        if step == 0:
            run["gradientNorms"] = {k: p.grad.norm().item() for k, p in model.named_parameters() if k in KEYS}
        optimizer.step()
        run["losses"].append(loss.item())
        run["distillation"].append(kd.item())
        if step + 1 in (5, STEPS):
            run["state"][str(step + 1)] = {k: samples(model.state_dict()[k]) for k in KEYS}
        print(step + 1, loss.item(), flush=True)
    return run


run, other = train(0), train(1e-14)
worst = max(abs(a - b) / abs(a) for a, b in zip(run["losses"], other["losses"]))
print(f"the losses with weights changed by 1e-14 differ by {worst:.1e}")
if worst > 1e-7:
    raise SystemExit("too chaotic to compare with")
FIXTURE.write_text(json.dumps({"torch": torch.__version__, "batch": BATCH, "size": SIZE, "lr": LR, "kdWeight": KD,
                               "counts": COUNTS, **run}, indent=1) + "\n")
print(f"wrote {FIXTURE}")
