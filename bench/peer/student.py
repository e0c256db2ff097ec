"""The peer of bench/student.mjs: the same training step in PyTorch.

Answers each line of JSON with one:
    {"do": "prepare", "task": {..}, "file": PATH, "way": "ours" | "original" | "second-forward"}
    {"do": "steps", "count": N} -> wall and processor milliseconds a step, losses
    {"do": "peak"} -> MiB that the resident size has risen at most above that before the first "prepare"
Ways: `ours` computes what our step computes, with the fused Adam; `original` is how GazeLT's program does it: float32,
contiguous, Adam as it comes, the network run once for the logits and again for the features, gradients through both;
`second-forward` runs the network twice but differentiates only the first pass.
"""
import torch
import torch.nn.functional as F

import resnet
import safetensors_reader
from timed_training import TimedTraining, serve

LEARNING_RATE = 1e-4
DISTILLATION_WEIGHT = 0.01
SCALE = 30.0


def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key + ":"))


def normalised(pixels):
    """[B, H, W, 1] bytes -> [B, 3, H, W], as torchvision's ToTensor and Normalize"""
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return (pixels.permute(0, 3, 1, 2).expand(-1, 3, -1, -1).float() / 255 - mean) / std


class Student(TimedTraining):
    def __init__(self, task, path, way):
        torch.set_num_threads(task["threads"])
        self.way, self.task = way, task
        self.low = task["precision"] == "bfloat16"
        state = safetensors_reader.read(path)
        data = {name[6:]: state.pop(name) for name in list(state) if name.startswith("bench.")}
        self.model = resnet.MODELS[task["architecture"]](len(data["weights"]))
        self.model.load_state_dict(state)
        self.model.train()
        self.images = normalised(data["pixels"])
        if self.low:
            self.model.to(memory_format=torch.channels_last)
            self.images = self.images.to(memory_format=torch.channels_last)
        self.labels = data["labels"].long()
        self.teachers = [data["teacher0"].softmax(1), data["teacher1"].softmax(1)]
        self.margins, self.weights = data["margins"], data["weights"]
        options = {"fused": True} if way == "ours" else {}
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE, **options)

    def ldam(self, logits):
        shift = torch.zeros_like(logits).scatter_(1, self.labels[:, None], self.margins[self.labels][:, None])
        return F.cross_entropy(SCALE * (logits - shift), self.labels, weight=self.weights)

    def distillation(self, features):
        student = features.log_softmax(1)
        return sum(0.5 * F.kl_div(student, teacher, reduction="batchmean") for teacher in self.teachers)

    def objective(self):
        if self.way == "second-forward":
            logits, _ = self.model(self.images)
            with torch.no_grad():
                self.model(self.images)
            return self.ldam(logits)
        if self.way == "original":
            logits, _ = self.model(self.images)
            _, features = self.model(self.images)
        else:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.low):
                logits, features = self.model(self.images)
            logits, features = logits.float(), features.float()
        loss = self.ldam(logits)
        if self.task["distillation"]:
            loss = loss + DISTILLATION_WEIGHT * self.distillation(features)
        return loss


class Peak:
    """How far the resident size has risen, in MiB, above that before the first training was made."""

    start = None

    def prepare(self, request):
        if self.start is None:
            torch.set_num_threads(request["task"]["threads"])
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")  # the peak is set back to the present size
            self.start = status("VmRSS")
        return Student(request["task"], request["file"], request["way"])

    def answer(self, *_):
        return {"mebibytes": (status("VmHWM") - self.start) / 1024}


peak = Peak()
serve(peak.prepare, peak=peak.answer)
