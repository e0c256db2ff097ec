"""GazeLT's teachers in PyTorch, as the authors and the encoders' own programs write them.

GC ViT tiny (Hatamizadeh et al. 2023) and FocalNet tiny, small receptive field (Yang et al. 2022), each with four decoders
to gaze maps and a projection to 64 numbers; the state dict's keys are those of `lordmoinak1/gazelt: src/gaze_models.py`.
The peer of `npm run bench -- teacher`, and what scripts/dev/make-teacher-reference.py computes its numbers with.
"""
import torch
import torch.nn.functional as F
from torch import nn


class DropPath(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if self.rate == 0 or not self.training:
            return x
        keep = 1 - self.rate
        return x * x.new_empty((x.shape[0],) + (1,) * (x.dim() - 1)).bernoulli_(keep).div_(keep)


class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


def initialise(module):
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


# ---- GC ViT


class Excitation(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(width, width // 4, bias=False), nn.GELU(), nn.Linear(width // 4, width, bias=False), nn.Sigmoid()
        )

    def forward(self, x):
        scale = self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return x * scale[:, :, None, None]


def mix(width):
    return nn.Sequential(
        nn.Conv2d(width, width, 3, 1, 1, groups=width, bias=False),
        nn.GELU(),
        Excitation(width),
        nn.Conv2d(width, width, 1, bias=False),
    )


class Reduce(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = mix(inputs)
        self.reduction = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.norm2 = nn.LayerNorm(outputs)
        self.norm1 = nn.LayerNorm(inputs)

    def forward(self, x):
        x = self.norm1(x).permute(0, 3, 1, 2)
        x = x + self.conv(x)
        return self.norm2(self.reduction(x).permute(0, 2, 3, 1))


class PatchEmbed(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj = nn.Conv2d(3, width, 3, 2, 1)
        self.conv_down = Reduce(width, width)

    def forward(self, x):
        return self.conv_down(self.proj(x).permute(0, 2, 3, 1))


class QueryStep(nn.Module):
    def __init__(self, width, pool):
        super().__init__()
        self.conv = mix(width)
        self.pool = nn.MaxPool2d(3, 2, 1) if pool else nn.Identity()

    def forward(self, x):
        return self.pool(x + self.conv(x))


class GlobalQuery(nn.Module):
    def __init__(self, width, heads, poolings):
        super().__init__()
        self.heads = heads
        self.to_q_global = nn.Sequential(*(QueryStep(width, poolings > 0) for _ in range(max(poolings, 1))))

    def forward(self, x):
        x = self.to_q_global(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        batch = x.shape[0]
        return x.reshape(batch, 1, -1, self.heads, 32).permute(0, 1, 3, 2, 4)


class WindowAttention(nn.Module):
    def __init__(self, width, heads, side, is_global):
        super().__init__()
        self.heads, self.is_global, self.scale = heads, is_global, (width // heads) ** -0.5
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * side - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        place = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")).flatten(1)
        between = place[:, :, None] - place[:, None, :] + side - 1
        self.register_buffer("relative_position_index", between[0] * (2 * side - 1) + between[1])
        self.qkv = nn.Linear(width, width * (2 if is_global else 3))
        self.proj = nn.Linear(width, width)

    def forward(self, x, q_global):
        windows, tokens, width = x.shape
        each = width // self.heads
        if self.is_global:
            k, v = self.qkv(x).reshape(windows, tokens, 2, self.heads, each).permute(2, 0, 3, 1, 4)
            q = q_global.repeat(1, windows // q_global.shape[0], 1, 1, 1).reshape(windows, self.heads, tokens, each)
        else:
            q, k, v = self.qkv(x).reshape(windows, tokens, 3, self.heads, each).permute(2, 0, 3, 1, 4)
        scores = (q * self.scale) @ k.transpose(-2, -1)
        bias = self.relative_position_bias_table[self.relative_position_index.view(-1)].view(tokens, tokens, -1)
        scores = scores + bias.permute(2, 0, 1).contiguous().unsqueeze(0)
        x = (scores.softmax(-1) @ v).transpose(1, 2).reshape(windows, tokens, width)
        return self.proj(x)


class GcVitBlock(nn.Module):
    def __init__(self, width, heads, side, is_global, drop):
        super().__init__()
        self.side = side
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, side, is_global)
        self.drop_path = DropPath(drop)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 3 * width)

    def forward(self, x, q_global):
        batch, height, width, channels = x.shape
        s, rows, columns = self.side, height // self.side, width // self.side
        y = self.norm1(x).view(batch, rows, s, columns, s, channels)
        y = y.permute(0, 1, 3, 2, 4, 5).reshape(-1, s * s, channels)
        y = self.attn(y, q_global).view(batch, rows, columns, s, s, channels)
        x = x + self.drop_path(y.permute(0, 1, 3, 2, 4, 5).reshape(batch, height, width, channels))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class GcVitLevel(nn.Module):
    def __init__(self, width, depth, heads, side, poolings, shrinks, drops):
        super().__init__()
        self.blocks = nn.ModuleList(GcVitBlock(width, heads, side, k % 2 == 1, drops[k]) for k in range(depth))
        self.downsample = Reduce(width, 2 * width) if shrinks else None
        self.q_global_gen = GlobalQuery(width, heads, poolings)

    def forward(self, x):
        q_global = self.q_global_gen(x)
        for block in self.blocks:
            x = block(x, q_global)
        return x if self.downsample is None else self.downsample(x)


class GcVit(nn.Module):
    widths = (128, 256, 512, 512)

    def __init__(self, drop_path):
        super().__init__()
        self.patch_embed = PatchEmbed(64)
        drops = [drop_path * k / 30 for k in range(31)]
        self.levels = nn.ModuleList(
            [
                GcVitLevel(64, 3, 2, 7, 3, True, drops[:3]),
                GcVitLevel(128, 4, 4, 7, 2, True, drops[3:7]),
                GcVitLevel(256, 19, 8, 14, 0, True, drops[7:26]),
                GcVitLevel(512, 5, 16, 7, 0, False, drops[26:]),
            ]
        )
        self.norm = nn.LayerNorm(512)
        self.head = nn.Linear(512, 1000)
        self.apply(initialise)

    def forward(self, x):
        """Four levels [B, H, W, C], feature map [B, 7, 7, 512]."""
        x = self.patch_embed(x)
        levels = []
        for level in self.levels:
            x = level(x)
            levels.append(x)
        return levels, self.norm(x)


# ---- FocalNet


class Modulation(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width
        self.f = nn.Linear(width, 2 * width + 3)
        self.h = nn.Conv2d(width, width, 1)
        self.proj = nn.Linear(width, width)
        self.focal_layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, k, 1, k // 2, groups=width, bias=False), nn.GELU()) for k in (3, 5)
        )

    def forward(self, x):
        """[B, H, W, C] -> [B, H, W, C]"""
        x = self.f(x).permute(0, 3, 1, 2).contiguous()
        q, context, gates = torch.split(x, (self.width, self.width, 3), 1)
        total = 0
        for level, layer in enumerate(self.focal_layers):
            context = layer(context)
            total = total + context * gates[:, level : level + 1]
        total = total + F.gelu(context.mean((2, 3), keepdim=True)) * gates[:, 2:]
        return self.proj((q * self.h(total)).permute(0, 2, 3, 1).contiguous())


class FocalBlock(nn.Module):
    def __init__(self, width, drop):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.modulation = Modulation(width)
        self.drop_path = DropPath(drop)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 4 * width)

    def forward(self, x, side):
        """[B, H W, C] -> [B, H W, C]"""
        batch, tokens, width = x.shape
        y = self.modulation(self.norm1(x).view(batch, side, side, width)).view(batch, tokens, width)
        x = x + self.drop_path(y)
        return x + self.drop_path(self.mlp(self.norm2(x)))


class FocalEmbed(nn.Module):
    def __init__(self, inputs, outputs, patch):
        super().__init__()
        self.proj = nn.Conv2d(inputs, outputs, patch, patch)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x):
        return self.norm(self.proj(x).flatten(2).transpose(1, 2))


class FocalLayer(nn.Module):
    def __init__(self, width, side, drops, shrinks):
        super().__init__()
        self.side = side
        self.blocks = nn.ModuleList(FocalBlock(width, drop) for drop in drops)
        self.downsample = FocalEmbed(width, 2 * width, 2) if shrinks else None

    def forward(self, x):
        for block in self.blocks:
            x = block(x, self.side)
        if self.downsample is None:
            return x
        return self.downsample(x.transpose(1, 2).reshape(x.shape[0], -1, self.side, self.side))


class FocalNet(nn.Module):
    widths = (192, 384, 768, 768)

    def __init__(self, drop_path):
        super().__init__()
        self.patch_embed = FocalEmbed(3, 96, 4)
        drops = [drop_path * k / 11 for k in range(12)]
        self.layers = nn.ModuleList(
            [
                FocalLayer(96, 56, drops[:2], True),
                FocalLayer(192, 28, drops[2:4], True),
                FocalLayer(384, 14, drops[4:10], True),
                FocalLayer(768, 7, drops[10:], False),
            ]
        )
        self.norm = nn.LayerNorm(768)
        self.head = nn.Linear(768, 1000)
        self.apply(initialise)

    def forward(self, x):
        """Four levels [B, H W, C], feature map [B, 7, 7, 768]."""
        x = self.patch_embed(x)
        levels = []
        for layer in self.layers:
            x = layer(x)
            levels.append(x)
        return levels, self.norm(x).view(x.shape[0], 7, 7, -1)


# ---- teachers


class Decoder(nn.Module):
    """Keys `0`, `2`, `4`: the shuffle and the ReLUs between have none."""

    def __init__(self, width, halvings):
        super().__init__()
        self.add_module("0", nn.Conv2d(width, 3 * 32 * 32, 1))
        for i in range(halvings):
            self.add_module(str(2 * i + 2), nn.Conv2d(3, 3, 2, 2))
        self.halvings = [str(2 * i + 2) for i in range(halvings)]

    def forward(self, x):
        x = F.pixel_shuffle(self._modules["0"](x), 32)
        for name in self.halvings:
            x = F.relu(self._modules[name](x))
        return x


class Block(nn.Module):
    def __init__(self, branch, encoder):
        super().__init__()
        self.branch = branch
        self.add_module(f"{branch}_encoder", encoder)
        self.add_module(f"{branch}_decoder", Decoder(encoder.widths[3], 0))
        for i, halvings in enumerate((2, 1, 0, 0)):
            self.add_module(f"{branch}_decoder_{i}", Decoder(encoder.widths[i], halvings))

    def forward(self, x):
        """Four maps [B, 3, 224, 224], feature map [B, 7, 7, C]."""
        levels, features = self._modules[f"{self.branch}_encoder"](x)
        maps = []
        for i, level in enumerate(levels):
            if level.dim() == 3:
                side = int(level.shape[1] ** 0.5)
                level = level.view(level.shape[0], side, side, -1)
            decoded = self._modules[f"{self.branch}_decoder_{i}"](level.permute(0, 3, 1, 2))
            maps.append(maps[-1] + decoded if maps else decoded)
        return maps, features


class Teacher(nn.Module):
    def __init__(self, branch, drop_path=0.0):
        super().__init__()
        self.branch = branch
        encoder = {"global": GcVit, "focal": FocalNet}[branch](drop_path)
        self.add_module(f"{branch}_encoder_x", Block(branch, encoder))
        self.add_module(f"{branch}_linear", nn.Linear(encoder.widths[3], 64))

    def forward(self, x):
        """Four maps, embedding [B, 64]."""
        maps, features = self._modules[f"{self.branch}_encoder_x"](x)
        return maps, self._modules[f"{self.branch}_linear"](features.mean((1, 2)))


def attention(x):
    return F.normalize(x.square().mean(1).flatten(1))


def objective(maps, targets):
    """Sum over the windows of the attention loss, summed over positions."""
    return sum((attention(x) - attention(y)).square().sum(1).mean() for x, y in zip(maps, targets))
