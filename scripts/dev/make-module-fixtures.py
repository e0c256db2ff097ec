"""Writes test/fixtures/checkpoints/torchvision-resnet.pt and timm-pvt.pt: networks of others, pickled whole, with all that
their makers hang on them. Every tensor is cut to its first element, so that the files stay small; module-keys.json has the
keys that PyTorch's state_dict gives.

    python3 scripts/dev/make-module-fixtures.py

Needs torch, torchvision and timm.
"""
import json
import pathlib

import torch
import torchvision_names  # noqa: F401  before torchvision, and timm, which imports it
import timm
from torchvision.models.resnet import BasicBlock, ResNet

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "test" / "fixtures" / "checkpoints"


def cut(model):
    for parameter in model.parameters():
        parameter.data = parameter.data.flatten()[:1].clone()
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            module.register_buffer(name, buffer.flatten()[:1].clone())
    return model


torch.manual_seed(0)
networks = {
    "torchvision-resnet.pt": torch.nn.DataParallel(ResNet(BasicBlock, [1, 1, 1, 1], num_classes=3)),
    "timm-pvt.pt": timm.create_model("pvt_v2_b2_li", num_classes=3, depths=(1, 1, 1, 1)),
}
keys = {}
for name, network in networks.items():
    torch.save(cut(network), FOLDER / name)
    keys[name] = list(network.state_dict())
(FOLDER / "module-keys.json").write_text(json.dumps(keys) + "\n")
