"""Writes test/fixtures/checkpoints/unet_model.pt and unet_model.json: a whole pickled U-Net, as loc-attention's authors
save theirs, of one channel instead of 64 at its first level, and what PyTorch makes of a generated image with it.

    python3 scripts/dev/make-unet-fixture.py

Needs torch. Structure and names are those of rcorizzo/cxr-segmentation-attention: scripts/model.py.
"""
import json
import pathlib
import sys
import types

import torch
from torch import nn

from filling import uniform

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures" / "checkpoints"
model = types.ModuleType("model")
sys.modules["model"] = model


def named(cls):
    """As if it had been defined in the authors' model.py."""
    cls.__module__ = "model"
    cls.__qualname__ = cls.__name__
    setattr(model, cls.__name__, cls)
    return cls


@named
class conv_block(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b)
        self.conv2, self.bn2 = nn.Conv2d(b, b, 3, padding=1), nn.BatchNorm2d(b)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))


@named
class encoder_block(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.conv, self.pool = conv_block(a, b), nn.MaxPool2d((2, 2))

    def forward(self, x):
        x = self.conv(x)
        return x, self.pool(x)


@named
class decoder_block(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.up, self.conv = nn.ConvTranspose2d(a, b, 2, stride=2), conv_block(2 * b, b)

    def forward(self, x, skip):
        return self.conv(torch.cat([self.up(x), skip], dim=1))


@named
class build_unet(nn.Module):
    def __init__(self, width):
        super().__init__()
        w = [width * 2 ** i for i in range(5)]
        self.e1, self.e2 = encoder_block(3, w[0]), encoder_block(w[0], w[1])
        self.e3, self.e4 = encoder_block(w[1], w[2]), encoder_block(w[2], w[3])
        self.b = conv_block(w[3], w[4])
        self.d1, self.d2 = decoder_block(w[4], w[3]), decoder_block(w[3], w[2])
        self.d3, self.d4 = decoder_block(w[2], w[1]), decoder_block(w[1], w[0])
        self.outputs = nn.Conv2d(w[0], 1, 1)

    def forward(self, x):
        s1, x = self.e1(x)
        s2, x = self.e2(x)
        s3, x = self.e3(x)
        s4, x = self.e4(x)
        x = self.b(x)
        for block, skip in ((self.d1, s4), (self.d2, s3), (self.d3, s2), (self.d4, s1)):
            x = block(x, skip)
        return self.outputs(x)


torch.manual_seed(0)
network = build_unet(1)
with torch.no_grad():
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.uniform_(-0.1, 0.1)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
network.eval()
torch.save(network, FOLDER / "unet_model.pt")
side = 32
# An image of bytes, red, green, blue; the original reads blue, green, red.
pixels = torch.tensor(uniform("unet.image", side * side * 3)).add(1).mul(128).floor().view(side, side, 3)
planes = pixels.flip(2).permute(2, 0, 1).div(255).to(torch.float32).unsqueeze(0)
with torch.no_grad():
    logits = network(planes).flatten().tolist()
expected = {"source": f"PyTorch {torch.__version__}", "side": side, "logits": [float(f"{v:.7g}") for v in logits]}
(FOLDER / "unet_model.json").write_text(json.dumps(expected) + "\n")
