"""The generator that inputs and weights of reference cases come from; test/golden/fill.ts is its twin, bit for bit."""
import math

import numpy as np

MASK = np.uint64(0xFFFFFFFF)


def uniform(name, n):
    """n numbers uniform in [-1, 1), float64: FNV-1a of the name, then murmur3's finaliser of seed + i * golden ratio."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = (np.uint64(seed) + np.arange(n, dtype=np.uint64) * np.uint64(0x9E3779B9)) & MASK
    x ^= x >> np.uint64(16)
    x = (x * np.uint64(0x85EBCA6B)) & MASK
    x ^= x >> np.uint64(13)
    x = (x * np.uint64(0xC2B2AE35)) & MASK
    x ^= x >> np.uint64(16)
    return x.astype(np.float64) / 2147483648.0 - 1.0


def fill_state(key, shape):
    """A plausible weight for a state dict's key, float32."""
    u = uniform(key, math.prod(shape)).reshape(shape)
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape)
    if key.endswith("running_var"):
        u = 1 + 0.5 * u
    elif key.endswith("running_mean"):
        u = 0.1 * u
    elif len(shape) <= 1:
        u = 1 + 0.1 * u if len(shape) == 1 and key.endswith("weight") else 0.1 * u
    else:
        u = u * math.sqrt(3.0 / math.prod(shape[1:]))
    return u.astype(np.float32)
