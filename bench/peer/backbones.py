"""The peer of bench/backbones.mjs: the same training step in PyTorch, with its fused Adam.

Answers each line of JSON with one:
    {"do": "prepare", "task": {..}, "file": PATH}
    {"do": "steps", "count": N} -> wall and processor milliseconds a step, losses
"""
import pathlib
import sys

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).parents[2] / "scripts" / "dev"))
import torchvision_names  # noqa: E402, F401  before torchvision
import timm  # noqa: E402
import torchvision  # noqa: E402

import safetensors_reader  # noqa: E402
import unet  # noqa: E402
from timed_training import TimedTraining, serve  # noqa: E402

LEARNING_RATE = 1e-5
CLASSES = 2
NETWORKS = {
    "vgg16": lambda: torchvision.models.vgg16(num_classes=CLASSES, dropout=0, init_weights=False),
    "pvt_v2_b2_li": lambda: timm.create_model("pvt_v2_b2_li", num_classes=CLASSES),
    "unet": unet.UNet,
}


class Training(TimedTraining):
    def __init__(self, task, path):
        torch.set_num_threads(task["threads"])
        self.low = task["precision"] == "bfloat16"
        state = safetensors_reader.read(path)
        data = {name[6:]: state.pop(name) for name in list(state) if name.startswith("bench.")}
        self.model = NETWORKS[task["network"]]()
        self.model.load_state_dict(state)
        self.model.train()
        self.images, self.mask = data["images"], data.get("mask")
        self.labels = data["labels"].long() if "labels" in data else None
        if self.low:
            self.model.to(memory_format=torch.channels_last)
            self.images = self.images.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE, fused=True)

    def objective(self):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.low):
            logits = self.model(self.images)
        logits = logits.float()
        if self.labels is None:
            return (logits.sigmoid() - self.mask).square().mean()
        return F.cross_entropy(logits, self.labels)


serve(
    lambda request: Training(request["task"], request["file"]),
    {"torchvision": torchvision.__version__, "timm": timm.__version__},
)
