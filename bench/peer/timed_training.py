"""What the training peers share: steps that are timed, and the loop that answers requests."""
import json
import resource
import sys
import time

import torch


class TimedTraining:
    """A peer adds `model`, `optimizer` and `objective()`, the loss of its batch."""

    def step(self):
        self.optimizer.zero_grad()
        loss = self.objective()
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
        return {
            "wall": 1000 * wall / count,
            "processor": 1000 * processor / count,
            "system": 1000 * (after.ru_stime - before.ru_stime) / count,
            "faults": (after.ru_minflt - before.ru_minflt) / count,
            "losses": losses,
        }


def serve(prepare, versions=None, **others):
    """Answers each line of JSON with one.

    prepare(request) -> the training; others: by the word of "do", of (training, request). What comes before the first
    "prepare" finds no training.
    """
    training = None
    print(json.dumps({"torch": torch.__version__, **(versions or {}), "python": sys.version.split()[0]}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer = {}
        if request["do"] == "prepare":
            training = None  # its memory is free before the next one is made
            training = prepare(request)
        elif request["do"] == "steps":
            answer = training.steps(request["count"])
        else:
            answer = others[request["do"]](training, request)
        print(json.dumps(answer), flush=True)
