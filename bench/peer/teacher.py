"""The peer of bench/teacher.mjs: the same training step in PyTorch, with its fused Adam.

Answers each line of JSON with one:
    {"do": "prepare", "task": {..}, "file": PATH}
    {"do": "steps", "count": N} -> wall and processor milliseconds a step, losses
"""
import json
import resource
import sys
import time

import torch

import safetensors_reader
from gaze_teachers import Teacher, objective

LEARNING_RATE = 1e-4


class Training:
    def __init__(self, task, path):
        torch.set_num_threads(task["threads"])
        self.low = task["precision"] == "bfloat16"
        state = safetensors_reader.read(path)
        data = {name[6:]: state.pop(name) for name in list(state) if name.startswith("bench.")}
        self.model = Teacher(task["branch"])
        self.model.load_state_dict(state)
        self.model.train()
        self.block = f"{task['branch']}_encoder_x"
        self.images = data["images"]
        self.targets = [data[f"target{k}"] for k in range(4)]
        if self.low:
            self.model.to(memory_format=torch.channels_last)
            self.images = self.images.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE, fused=True)

    def step(self):
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.low):
            maps, _ = self.model._modules[self.block](self.images)  # the maps need no embedding
        loss = objective([map.float() for map in maps], self.targets)
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
    print(json.dumps({"torch": torch.__version__, "python": sys.version.split()[0]}), flush=True)
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
