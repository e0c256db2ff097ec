"""Makes test/fixtures/training/teachers-20-steps.json with PyTorch: 20 steps of training of each teacher in float64.

The networks are those of bench/peer/gaze_teachers.py; filled weights (test/golden/fill.ts has the generator's twin),
224 px, batches of two, no stochastic depth, the attention losses of the four maps summed over windows and positions, Adam
at 1e-4. Also the first loss in float32. Run:
    python scripts/dev/make-teacher-reference.py [STEPS]
"""
import json
import pathlib
import sys
import time

import numpy as np
import torch

from filling import fill_state, uniform

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench" / "peer"))
sys.dont_write_bytecode = True
from gaze_teachers import Teacher, objective  # noqa: E402

FIXTURE = ROOT / "test" / "fixtures" / "training" / "teachers-20-steps.json"
BATCH, SIZE, LR = 2, 224, 1e-4
STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
SAMPLED_AFTER = [1, 2, 5, 20]
KEYS = {
    "global": [
        "encoder_x.global_encoder.patch_embed.proj.weight",
        "encoder_x.global_encoder.levels.0.blocks.1.attn.relative_position_bias_table",
        "encoder_x.global_encoder.levels.1.q_global_gen.to_q_global.1.conv.2.fc.0.weight",
        "encoder_x.global_encoder.levels.2.blocks.18.attn.qkv.bias",
        "encoder_x.global_encoder.levels.3.blocks.4.mlp.fc2.weight",
        "encoder_x.global_decoder_0.0.weight",
        "encoder_x.global_decoder_0.4.bias",
        "encoder_x.global_decoder_1.2.weight",
        "encoder_x.global_decoder_3.0.bias",
        "linear.weight",
    ],
    "focal": [
        "encoder_x.focal_encoder.patch_embed.proj.weight",
        "encoder_x.focal_encoder.layers.0.blocks.1.modulation.f.bias",
        "encoder_x.focal_encoder.layers.2.blocks.5.modulation.focal_layers.1.0.weight",
        "encoder_x.focal_encoder.layers.2.downsample.proj.weight",
        "encoder_x.focal_encoder.layers.3.blocks.1.modulation.h.weight",
        "encoder_x.focal_decoder_0.0.bias",
        "encoder_x.focal_decoder_0.2.weight",
        "encoder_x.focal_decoder_1.2.bias",
        "encoder_x.focal_decoder_2.0.weight",
        "linear.weight",
    ],
}


def batch(step, dtype):
    images = uniform(f"teacher.x{step}", BATCH * 3 * SIZE * SIZE).astype(np.float32).reshape(BATCH, 3, SIZE, SIZE)
    heats = [
        uniform(f"teacher.heat{step}.{k}", BATCH * SIZE * SIZE).astype(np.float32).reshape(BATCH, 1, SIZE, SIZE)
        for k in range(4)
    ]
    return torch.from_numpy(images).to(dtype), [torch.from_numpy(heat).to(dtype) for heat in heats]


def filled(branch, dtype):
    model = Teacher(branch)
    state = {
        key: value if value.dtype == torch.int64 else torch.from_numpy(fill_state(key, tuple(value.shape)))
        for key, value in model.state_dict().items()
    }
    model.load_state_dict(state)
    return model.to(dtype).train()


def samples(values):
    values = values.flatten()
    indices = np.unique(np.linspace(0, len(values) - 1, 6).astype(int)).tolist()
    return {str(i): values[i].item() for i in indices}


def train(branch):
    images, heats = batch(0, torch.float32)
    first = objective(filled(branch, torch.float32)(images)[0], heats).item()
    model = filled(branch, torch.float64)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    losses, states = [], {}
    for step in range(STEPS):
        begun = time.perf_counter()
        images, heats = batch(step, torch.float64)
        optimizer.zero_grad()
        loss = objective(model(images)[0], heats)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        print(f"{branch} step {step + 1}: {losses[-1]:.12f}, {time.perf_counter() - begun:.1f} s", flush=True)
        if step + 1 in SAMPLED_AFTER:
            state = model.state_dict()
            states[step + 1] = {f"{branch}_{key}": samples(state[f"{branch}_{key}"]) for key in KEYS[branch]}
    return {"firstFloat32": first, "losses": losses, "states": states}


torch.set_num_threads(1)
runs = {branch: train(branch) for branch in ("global", "focal")}
FIXTURE.write_text(
    json.dumps({"torch": torch.__version__, "batch": BATCH, "size": SIZE, "lr": LR, "runs": runs}, indent=1) + "\n"
)
print(f"wrote {FIXTURE}")
