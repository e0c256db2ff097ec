"""The peer of bench/backbones.mjs: the same training step in PyTorch, with its fused Adam.

Answers each line of JSON with one:
    {"do": "prepare", "task": {..}, "file": PATH}
    {"do": "steps", "count": N} -> wall and processor milliseconds a step, losses
"""
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F

# Only networks are needed of torchvision: where its compiled part is not there, these names keep its import going.
if not hasattr(torch.ops.torchvision, "nms"):
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import timm  # noqa: E402
import torchvision  # noqa: E402

import safetensors_reader
import unet

LEARNING_RATE = 1e-5
CLASSES = 2
NETWORKS = {
    "vgg16": lambda: torchvision.models.vgg16(num_classes=CLASSES, dropout=0, init_weights=False),
    "pvt_v2_b2_li": lambda: timm.create_model("pvt_v2_b2_li", num_classes=CLASSES),
    "unet": unet.UNet,
}


class Training:
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

    def step(self):
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.low):
            logits = self.model(self.images)
        logits = logits.float()
        loss = (logits.sigmoid() - self.mask).square().mean() if self.labels is None else F.cross_entropy(logits, self.labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def steps(self, count):
        before = resource.getrusage(resource.RUSAGE_SELF)
        begun = time.perf_counter()
        losses = [self.step() for _ in range(count)]
        wall = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_SELF)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"wall": 1000 * wall / count, "processor": 1000 * processor / count, "losses": losses}


def main():
    training = None
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__}
    print(json.dumps(versions | {"python": sys.version.split()[0]}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = {}
        if request["do"] == "prepare":
            training = None
            training = Training(request["task"], request["file"])
        elif request["do"] == "steps":
            answer = training.steps(request["count"])
        print(json.dumps(answer), flush=True)


main()
