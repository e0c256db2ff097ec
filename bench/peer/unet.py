"""The U-Net of `rcorizzo/cxr-segmentation-attention: scripts/model.py`, written anew from its description."""
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)))


class Encoder(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = Block(inputs, outputs)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        x = self.conv(x)
        return x, self.pool(x)


class Decoder(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.up = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.conv = Block(2 * outputs, outputs)

    def forward(self, x, skip):
        return self.conv(torch.cat([self.up(x), skip], dim=1))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.e1, self.e2 = Encoder(3, 64), Encoder(64, 128)
        self.e3, self.e4 = Encoder(128, 256), Encoder(256, 512)
        self.b = Block(512, 1024)
        self.d1, self.d2 = Decoder(1024, 512), Decoder(512, 256)
        self.d3, self.d4 = Decoder(256, 128), Decoder(128, 64)
        self.outputs = nn.Conv2d(64, 1, 1)

    def forward(self, x):
        s1, x = self.e1(x)
        s2, x = self.e2(x)
        s3, x = self.e3(x)
        s4, x = self.e4(x)
        x = self.d1(self.b(x), s4)
        return self.outputs(self.d4(self.d3(self.d2(x, s3), s2), s1))
