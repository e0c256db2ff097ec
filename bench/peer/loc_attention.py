"""The peer of bench/loc-attention.mjs: a training step with the published loss, as the original's program does it.

Per batch one deep copy of the model in evaluation mode; per image of it, whatever its label, Grad-CAM by a forward and a
backward pass of its own, the U-Net at its own size, and the box of its mask. In the original's favour: the inputs of the U-Net
are in memory (its program reads and resizes the file again), and the U-Net runs without gradients.

Answers each line of JSON with one:
    {"do": "prepare", "task": {..}, "file": PATH}
    {"do": "attention"} -> the attention term of each image by the weights as they are, predictions, boxes
    {"do": "steps", "count": N} -> wall and processor milliseconds a step, losses
"""
import copy
import pathlib
import sys

import cv2
import numpy as np
import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).parents[2] / "scripts" / "dev"))
import torchvision_names  # noqa: E402, F401  before torchvision
import timm  # noqa: E402
import torchvision  # noqa: E402

import safetensors_reader  # noqa: E402
from timed_training import TimedTraining, serve  # noqa: E402
from unet import UNet  # noqa: E402

LAYERS = {
    "resnet50": lambda model: model.layer4[-1],
    "resnet18": lambda model: model.layer4[-1],
    "vgg16": lambda model: model.features[28],
    "pvt_v2_b2_li": lambda model: model.stages[-1],
    "pvt_v2_b0": lambda model: model.stages[-1],
}


def make(architecture, classes):
    if architecture.startswith("pvt"):
        return timm.create_model(architecture, num_classes=classes)
    if architecture == "vgg16":
        model = torchvision.models.vgg16()
        # The first fully connected layers are the same at every input size; dropout off, so that both sides agree.
        model.classifier[6] = torch.nn.Linear(4096, classes)
        for at in (2, 5):
            model.classifier[at].p = 0.0
        # The map wants the activation before its ReLU, which works in place.
        model.features[29] = torch.nn.ReLU(inplace=False)
        return model
    model = getattr(torchvision.models, architecture)()
    model.fc = torch.nn.Linear(model.fc.in_features, classes)
    return model


def scaled(x):
    x = x - x.min()
    return x / (1e-7 + x.max())


def grad_cam(model, layer, image, target):
    """As pytorch-grad-cam: scaled to [0, 1], resized by OpenCV, scaled again."""
    kept = {}

    def keep(_, __, output):
        kept["activation"] = output
        output.register_hook(lambda gradient: kept.__setitem__("gradient", gradient))

    handle = layer.register_forward_hook(keep)
    logits = model(image)
    handle.remove()
    model.zero_grad()
    logits[0, target].backward()
    activation, gradient = kept["activation"].detach().numpy(), kept["gradient"].numpy()
    weights = gradient.mean((2, 3))
    raw = np.maximum((weights[:, :, None, None] * activation).sum(1), 0)[0]
    height, width = image.shape[2:]
    resized = cv2.resize(np.float32(scaled(raw)), (width, height))
    return scaled(np.maximum(resized, 0))


def box_of(mask, size):
    small = cv2.resize(mask, (size, size))
    rows, columns = np.nonzero(small)
    if len(rows) == 0:
        return 0, 0, size, size
    x, y = columns.min(), rows.min()
    return int(x), int(y), int(columns.max() + 1 - x), int(rows.max() + 1 - y)


def region_of(label, box):
    x, y, width, height = box
    middle = round(y + height / 2)  # half to even
    rows = (y, middle) if label == 2 else (middle, y + height)
    return slice(*rows), slice(x, x + width)


class Run(TimedTraining):
    def __init__(self, task, path):
        torch.set_num_threads(task["threads"])
        self.task = task
        state = safetensors_reader.read(path)
        groups = {name: {} for name in ("model", "unet", "bench")}
        for key, value in state.items():
            group, name = key.split(".", 1)
            groups[group][name] = value
        self.model = make(task["architecture"], 3)
        self.model.load_state_dict(groups["model"])
        self.model.train()
        self.unet = UNet()
        self.unet.load_state_dict(groups["unet"])
        self.unet.eval()
        self.images, self.segmented = groups["bench"]["images"], groups["bench"]["segmented"]
        self.labels = groups["bench"]["labels"].long()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=task["learningRate"])

    def attention(self, predictions):
        """1 - the share of hot pixels in the region of the true class, image by image."""
        copied = copy.deepcopy(self.model).eval()
        layer = LAYERS[self.task["architecture"]](copied)
        values, boxes = [], []
        for i, label in enumerate(self.labels.tolist()):
            heat = grad_cam(copied, layer, self.images[i : i + 1], predictions[i])
            with torch.no_grad():
                probability = torch.sigmoid(self.unet(self.segmented[i : i + 1]))[0, 0].numpy()
            box = box_of((probability > 0.5).astype(np.uint8), self.task["size"])
            boxes.append(box)
            part = heat[region_of(label, box)]
            hot = (part > np.float32(self.task["threshold"])).sum()
            values.append(0.0 if label == 0 or part.size == 0 else 1 - hot / part.size)
        return values, boxes

    def objective(self):
        logits = self.model(self.images)
        predictions = logits.argmax(1).tolist()
        values, _ = self.attention(predictions)
        share = self.task["lambda"]
        each = F.cross_entropy(logits, self.labels, reduction="none")
        return (share * each + (1 - share) * torch.tensor(values, dtype=torch.float32)).mean()

    def first(self):
        """The attention term of the batch by evaluation-mode predictions, which do not depend on batch statistics."""
        copied = copy.deepcopy(self.model).eval()
        with torch.no_grad():
            predictions = copied(self.images).argmax(1).tolist()
        values, boxes = self.attention(predictions)
        return {"attention": [float(v) for v in values], "predictions": predictions, "boxes": boxes}


serve(
    lambda request: Run(request["task"], request["file"]),
    {"torchvision": torchvision.__version__, "timm": timm.__version__},
    attention=lambda run, _: run.first(),
)
