"""The peer of bench/cam.mjs: batched Grad-CAM in PyTorch.

Answers each line of JSON with one:
    {"do": "prepare", "task": {..}, "file": PATH}
    {"do": "maps", "file": PATH} -> writes the maps [B, H, W] as float32
    {"do": "batches", "count": N} -> wall and processor milliseconds a batch
One forward pass in eval mode, the graph from the layer on, one backward pass of the sum of the predicted logits.
"""
import json
import pathlib
import resource
import sys
import time

import torch
import torch.nn.functional as F

sys.path.append(str(pathlib.Path(__file__).parents[2] / "scripts" / "dev"))
import torchvision_names  # noqa: E402, F401  before torchvision
import timm  # noqa: E402
import torchvision  # noqa: E402

import safetensors_reader  # noqa: E402

CLASSES = 2
NETWORKS = {
    "resnet50": lambda: torchvision.models.resnet50(num_classes=CLASSES),
    "vgg16": lambda: torchvision.models.vgg16(num_classes=CLASSES, init_weights=False),
    "pvt_v2_b2_li": lambda: timm.create_model("pvt_v2_b2_li", num_classes=CLASSES),
}
LAYERS = {"resnet50": "layer4.2", "vgg16": "features.28", "pvt_v2_b2_li": "stages.3"}


def scaled(maps):
    maps = maps - maps.amin((1, 2), keepdim=True)
    return maps / (1e-7 + maps.amax((1, 2), keepdim=True))


class Explainer:
    def __init__(self, task, path):
        torch.set_num_threads(task["threads"])
        state = safetensors_reader.read(path)
        self.images = state.pop("bench.images")
        self.model = NETWORKS[task["network"]]()
        self.model.load_state_dict(state)
        self.model.eval().requires_grad_(False)
        if task["network"] == "vgg16":
            self.model.features[29].inplace = False  # the activation before its ReLU is explained
        self.model.get_submodule(LAYERS[task["network"]]).register_forward_hook(self.cut)

    def cut(self, module, inputs, output):
        self.activation = output.detach().requires_grad_(True)
        return self.activation

    def maps(self):
        logits = self.model(self.images)
        score = logits.gather(1, logits.argmax(1, keepdim=True)).sum()
        (gradient,) = torch.autograd.grad(score, self.activation)
        with torch.no_grad():
            weights = gradient.mean((2, 3), keepdim=True)
            raw = (weights * self.activation).sum(1).relu()
            size = self.images.shape[2:]
            grown = F.interpolate(scaled(raw)[:, None], size, mode="bilinear", align_corners=False)[:, 0]
            return scaled(grown.relu())

    def batches(self, count):
        before = resource.getrusage(resource.RUSAGE_SELF)
        begun = time.perf_counter()
        for _ in range(count):
            self.maps()
        wall = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_SELF)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"wall": 1000 * wall / count, "processor": 1000 * processor / count}


def main():
    explainer = None
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__}
    print(json.dumps(versions | {"python": sys.version.split()[0]}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = {}
        if request["do"] == "prepare":
            explainer = None
            explainer = Explainer(request["task"], request["file"])
        elif request["do"] == "maps":
            explainer.maps().contiguous().numpy().tofile(request["file"])
        elif request["do"] == "batches":
            answer = explainer.batches(request["count"])
        print(json.dumps(answer), flush=True)


main()
