"""The peer of bench/teacher.mjs: the same training step in PyTorch, with its fused Adam.

Answers each line of JSON with one:
    {"do": "prepare", "task": {..}, "file": PATH}
    {"do": "steps", "count": N} -> wall and processor milliseconds a step, losses
"""
import torch

import safetensors_reader
from gaze_teachers import Teacher, objective
from timed_training import TimedTraining, serve

LEARNING_RATE = 1e-4


class Training(TimedTraining):
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

    def objective(self):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.low):
            maps, _ = self.model._modules[self.block](self.images)  # the maps need no embedding
        return objective([map.float() for map in maps], self.targets)


serve(lambda request: Training(request["task"], request["file"]))
