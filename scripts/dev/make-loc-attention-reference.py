"""Makes test/fixtures/training/loc-attention-steps.json with PyTorch, torchvision and timm, in float64.

Twenty steps of loc-attention's published training (its scripts/model_loss_attent.py: a deep copy in evaluation mode whose
Grad-CAM maps of the predicted class are taken image by image) and five of the differentiable form (autograd twice through
the formulas), with torchvision's ResNet50 and timm's pvt_v2_b2_li: filled weights, 64 px, batches of two, the four classes of
neps, Adam at 1e-5. Run:
    python scripts/dev/make-loc-attention-reference.py
It also runs with weights changed by 1e-14, and refuses to write where the losses then differ by more than 1e-7: such a course
would be too chaotic to compare with.
"""
import copy
import json
import pathlib

import numpy as np
import timm
import torch
import torchvision
from torch.nn import functional as F

from filling import fill, fill_state, samples, uniform

FIXTURE = pathlib.Path(__file__).parents[2] / "test" / "fixtures" / "training" / "loc-attention-steps.json"
BATCH, SIZE, CLASSES, LR = 2, 64, 4, 1e-5
LAMBDA, THRESHOLD, TAU, OUTSIDE = 0.5, 0.3, 0.1, 0.5
REGIONS = [None, "lower", "upper", "outside"]
NETWORKS = {
    "resnet50": {
        "make": lambda: torchvision.models.resnet50(num_classes=CLASSES),
        "layer": lambda model: model.layer4[2],
        "keys": ["conv1.weight", "bn1.running_var", "layer2.0.downsample.0.weight", "layer4.2.conv3.weight",
                 "layer4.2.bn3.bias", "fc.weight", "fc.bias"],
    },
    "pvt_v2_b2_li": {
        "make": lambda: timm.create_model("pvt_v2_b2_li", num_classes=CLASSES),
        "layer": lambda model: model.stages[3],
        "keys": ["patch_embed.proj.weight", "stages.0.blocks.1.attn.sr.weight", "stages.1.downsample.proj.weight",
                 "stages.2.blocks.5.mlp.fc1.weight", "stages.3.norm.weight", "head.weight", "head.bias"],
    },
}


def batch(step):
    x = torch.from_numpy(fill(f"loc.x{step}", (BATCH, 3, SIZE, SIZE))).double()
    labels = np.floor((uniform(f"loc.labels{step}", BATCH) + 1) / 2 * CLASSES).astype(np.int64)
    # x, y below 24; width, height 16 to 39: always within the image.
    u = (uniform(f"loc.boxes{step}", 4 * BATCH).reshape(BATCH, 4) + 1) / 2
    boxes = np.floor(u * 24).astype(int) + [0, 0, 16, 16]
    return x, torch.from_numpy(labels), boxes.tolist()


def region(name, box):
    """1 inside the region, 0 elsewhere; H = W = SIZE."""
    x, y, w, h = box
    middle = round(y + h / 2)  # half to even
    mask = torch.zeros(SIZE, SIZE, dtype=torch.float64)
    if name == "upper":
        mask[y:middle, x:x + w] = 1
    elif name == "lower":
        mask[middle:y + h, x:x + w] = 1
    elif name == "outside":
        mask[:] = 1
        mask[y:, x:x + w] = 0
    return mask


def scaled(m):
    m = m - m.amin(dim=(-2, -1), keepdim=True)
    return m / (1e-7 + m.amax(dim=(-2, -1), keepdim=True))


def maps(activation, gradient):
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    raw = F.relu((weights * activation).sum(1))
    big = F.interpolate(scaled(raw)[:, None], size=(SIZE, SIZE), mode="bilinear", align_corners=False)[:, 0]
    return scaled(F.relu(big))


def tapped(model, layer, x):
    kept = []
    handle = layer.register_forward_hook(lambda _, __, output: kept.append(output))
    logits = model(x)
    handle.remove()
    return logits, kept[0]


def published(model, layer, x, labels, boxes):
    logits = model(x)
    predicted = logits.argmax(1)
    ce = F.cross_entropy(logits, labels)
    twin = copy.deepcopy(model).eval()
    attention = []
    for i in range(BATCH):
        z, a = tapped(twin, layer(twin), x[i:i + 1])
        gradient, = torch.autograd.grad(z[0, predicted[i]], a)
        heat = maps(a, gradient).detach()[0]
        mask = region(REGIONS[labels[i]], boxes[i])
        hot = ((heat > THRESHOLD) * mask).sum()
        attention.append(1 - hot / mask.sum() if REGIONS[labels[i]] else torch.zeros((), dtype=torch.float64))
    attention = torch.stack(attention)
    return {"loss": LAMBDA * ce + (1 - LAMBDA) * attention.mean(), "crossEntropy": ce, "attention": attention}


def differentiable(model, layer, x, labels, boxes):
    logits, a = tapped(model, layer(model), x)
    ce = F.cross_entropy(logits, labels)
    chosen = logits.gather(1, labels[:, None]).sum()
    gradient, = torch.autograd.grad(chosen, a, create_graph=True)
    soft = torch.sigmoid((maps(a, gradient) - THRESHOLD) / TAU)
    attention, outside = [], []
    for i in range(BATCH):
        name = REGIONS[labels[i]]
        mask = region(name, boxes[i])
        zero = torch.zeros((), dtype=torch.float64)
        attention.append(1 - (soft[i] * mask).sum() / mask.sum() if name else zero)
        outside.append((soft[i] * (1 - mask)).sum() / (1 - mask).sum() if name else zero)
    attention, outside = torch.stack(attention), torch.stack(outside)
    loss = LAMBDA * ce + (1 - LAMBDA) * (attention + OUTSIDE * outside).mean()
    return {"loss": loss, "crossEntropy": ce, "attention": attention, "outside": outside}


def initial(key, shape, noise):
    weights = fill_state(key, shape).astype(np.float64)
    return torch.from_numpy(np.asarray(weights * (1 + noise * uniform("noise" + key, weights.size).reshape(shape))))


def train(name, objective, steps, noise):
    made = NETWORKS[name]
    model = made["make"]().double()
    model.load_state_dict({k: initial(k, tuple(v.shape), noise).to(v.dtype) for k, v in model.state_dict().items()})
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    run = {"steps": [], "state": {}}
    for step in range(steps):
        x, labels, boxes = batch(step)
        optimizer.zero_grad()
        parts = objective(model, made["layer"], x, labels, boxes)
        parts["loss"].backward()
        if step == 0:
            run["gradientNorms"] = {k: p.grad.norm().item() for k, p in model.named_parameters() if k in made["keys"]}
        optimizer.step()
        run["steps"].append({k: v.tolist() for k, v in parts.items()})
        if step + 1 in (5, 20):
            run["state"][str(step + 1)] = {k: samples(model.state_dict()[k]) for k in made["keys"]}
        print(name, step + 1, parts["loss"].item(), flush=True)
    return run


runs = {}
for name in NETWORKS:
    for form, objective, steps in [("published", published, 20), ("differentiable", differentiable, 5)]:
        run, other = train(name, objective, steps, 0), train(name, objective, steps, 1e-14)
        worst = max(abs(a["loss"] - b["loss"]) / abs(a["loss"]) for a, b in zip(run["steps"], other["steps"]))
        print(f"{name}, {form}: the losses with weights changed by 1e-14 differ by {worst:.1e}", flush=True)
        if worst > 1e-7:
            raise SystemExit("too chaotic to compare with")
        runs[f"{form}/{name}"] = run
settings = {"batch": BATCH, "size": SIZE, "classes": CLASSES, "lr": LR, "lambda": LAMBDA, "threshold": THRESHOLD,
            "tau": TAU, "penaliseOutside": OUTSIDE, "regions": REGIONS}
FIXTURE.write_text(json.dumps({"torch": torch.__version__, **settings, "runs": runs}, indent=1) + "\n")
print(f"wrote {FIXTURE}")
