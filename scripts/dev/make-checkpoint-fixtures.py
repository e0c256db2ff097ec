#!/usr/bin/env python3
"""Makes test/fixtures/checkpoints with real PyTorch: one small file of each kind, good and bad.

    python scripts/dev/make-checkpoint-fixtures.py [folder]

Needs torch, numpy and safetensors. expected.json beside the files says what each good one holds: for every tensor its
dtype, shape and values (row-major; 16-bit floats as the exact decimal value). Everything is filled from formulas,
so that two runs differ only in what torch.save itself varies (storage keys and serialization ids).
"""

import argparse
import functools
import io
import json
import os
import pathlib
import pickle
import struct
import sys
import zipfile
import zlib
from collections import Counter, OrderedDict, defaultdict, namedtuple

import numpy as np
import torch
from safetensors.torch import save_file

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "test", "fixtures", "checkpoints")
expected = {}


def path(name):
    return os.path.join(FOLDER, name)


def ramp(*shape, dtype=torch.float32, start=0.0):
    count = int(np.prod(shape)) if shape else 1
    return (torch.arange(count, dtype=torch.float64) * 0.25 - 1.5 + start).to(dtype).reshape(shape)


def describe(tensor):
    tensor = tensor.detach()
    values = tensor.double() if tensor.is_floating_point() else tensor
    return {
        "dtype": str(tensor.dtype).replace("torch.", ""),
        "shape": list(tensor.shape),
        "strides": list(tensor.stride()),
        "values": [v if isinstance(v, (bool, float)) else str(v) for v in values.reshape(-1).tolist()],
    }


def expect(name, tensors, **more):
    expected[name] = {"tensors": {key: describe(value) for key, value in tensors.items()}, **more}


def save_both(stem, value, tensors, **more):
    """The same structure in the zip and in the legacy format."""
    for suffix, zipped in (("zip", True), ("legacy", False)):
        name = f"{stem}.{suffix}.pt"
        torch.save(value, path(name), _use_new_zipfile_serialization=zipped)
        expect(name, tensors, format="torch-zip" if zipped else "torch-legacy", **more)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 3)
        self.bn = torch.nn.BatchNorm2d(2)
        self.fc = torch.nn.Linear(2, 3)

    def forward(self, x):
        return self.fc(self.bn(self.conv(x)).mean((2, 3)))


def filled_net():
    net = Net()
    with torch.no_grad():
        for i, parameter in enumerate(net.parameters()):
            parameter.copy_(ramp(*parameter.shape, start=i))
    return net


def after_adam_step():
    net = filled_net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    net(ramp(2, 1, 5, 5)).square().sum().backward()
    optimizer.step()
    return net, optimizer


def good_files():
    net = filled_net()
    save_both("bare", net.state_dict(), net.state_dict())
    torch.save(net.state_dict(), path("pytorch_model.bin"))
    expect("pytorch_model.bin", net.state_dict(), format="torch-zip")
    torch.save(net.state_dict(), path("protocol4.pt"), pickle_protocol=4)
    expect("protocol4.pt", net.state_dict(), format="torch-zip")
    torch.save(net.state_dict(), path("protocol5.legacy.pt"), pickle_protocol=5, _use_new_zipfile_serialization=False)
    expect("protocol5.legacy.pt", net.state_dict(), format="torch-legacy")

    net, optimizer = after_adam_step()
    state = optimizer.state_dict()
    moments = {f"optimizer.state.{i}.{key}": value for i, entry in state["state"].items() for key, value in entry.items()}
    save_both("author", {"weights": net.state_dict(), "optimizer": state}, net.state_dict(), optimizer=sorted(moments),
              step={key: describe(value) for key, value in moments.items()})

    parameters = OrderedDict((f"p{i}", torch.nn.Parameter(ramp(2, i + 1))) for i in range(3))
    save_both("parameters", parameters, parameters)

    base = ramp(4, 6)
    shared = OrderedDict(whole=base, row=base[2], column=base[:, 1], transposed=base.t(), block=base[1:3, 2:5],
                         every_other=base.reshape(-1)[1::2], expanded=base[0, 0].expand(3, 2), empty=base[:0],
                         scalar=base[3, 5])
    save_both("views", shared, shared)

    dtypes = OrderedDict(
        f64=ramp(3, dtype=torch.float64), f32=ramp(3), f16=ramp(3, dtype=torch.float16),
        bf16=ramp(3, dtype=torch.bfloat16), i64=torch.tensor([-(2**62) - 1, 0, 2**53 + 1]),
        i32=torch.tensor([-(2**31), 7], dtype=torch.int32), i16=torch.tensor([-32768, 7], dtype=torch.int16),
        i8=torch.tensor([-128, 7], dtype=torch.int8), u8=torch.tensor([0, 255], dtype=torch.uint8),
        mask=torch.tensor([True, False, True]))
    save_both("dtypes", dtypes, dtypes)
    save_file(dict(dtypes), path("dtypes.safetensors"), metadata={"made by": "safetensors", "epoch": "3"})
    expect("dtypes.safetensors", dtypes, format="safetensors", metadata={"made by": "safetensors", "epoch": "3"})

    noted = ramp(2, 2)
    noted.note = "a Python attribute"
    channels_last = ramp(1, 2, 3, 3).to(memory_format=torch.channels_last)
    plain = {
        "none": None, "yes": True, "int": -3, "big": 2**70, "float": 0.1, "text": "Größe \ufeff", "bytes": b"\x00\xff",
        "tuple": (1, (2, 3)), "list": [1, [2]], "set": {1, 2}, "counter": Counter({"a": 2}),
        "default": defaultdict(list, {"k": [1]}), "size": torch.Size([2, 3]), "dtype": torch.float16,
        "device": torch.device("cuda:1"), "model": OrderedDict(noted=noted, channels_last=channels_last),
        "long text": "x" * 300, "history": list(range(300)),
    }
    save_both("plain", plain, plain["model"])


class Settings(dict):
    """As configurations of yacs, easydict and others: a dict with a class of its own."""


Split = namedtuple("Split", "name films")


def belongings():
    """What programs keep beside the weights: objects of Python and NumPy that are no tensors."""
    net = filled_net()
    settings = Settings(lr=1e-4, size=(224, 224))
    settings.note = "an attribute"
    beside = {
        "best": np.float64(0.5), "loss": np.float32(0.25), "epoch": np.int64(7), "big": np.uint64(2**63), "small": np.int8(-3),
        "done": np.bool_(True), "swapped": np.array([3], dtype=">i4")[0], "half": np.float16(0.5),
        "random": np.random.RandomState(0).get_state(), "names": np.array(["a", None], dtype=object),
        "path": pathlib.PurePosixPath("/data/films/train"), "relative": pathlib.PurePosixPath("films/train"),
        "windows": pathlib.PureWindowsPath("C:/films"), "args": argparse.Namespace(lr=1e-4, backbone="resnet50"),
        "norm": functools.partial(torch.nn.LayerNorm, eps=1e-6), "settings": settings, "split": Split("train", 3),
        "torch": torch.__version__, "weights": net.state_dict(),
    }
    for protocol in (2, 5):
        name = f"belongings.protocol{protocol}.pt"
        torch.save(beside, path(name), pickle_protocol=protocol)
        expect(name, net.state_dict(), format="torch-zip")

    net.register_forward_hook(print)
    net.norm = functools.partial(torch.nn.LayerNorm, eps=1e-6)
    torch.save(net, path("hooked-module.pt"))
    expect("hooked-module.pt", net.state_dict(), format="torch-zip")


def zip_with(name, change, source="bare.zip.pt", **options):
    """A changed copy of a good archive; change(name, bytes) gives the new bytes, or None to leave the entry out."""
    with zipfile.ZipFile(path(source)) as old, zipfile.ZipFile(path(name), "w") as new:
        for info in old.infolist():
            data = change(info.filename, old.read(info))
            if data is not None:
                new.writestr(zipfile.ZipInfo(info.filename), data, **options)


class Calls:
    """Pickles as a call of something."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def bad_files():
    weights = filled_net().state_dict()
    evil = {"weights": weights, "note": Calls(os.system, "touch os-system-was-called")}
    torch.save(evil, path("os-system.zip.pt"))
    torch.save(evil, path("os-system.legacy.pt"), _use_new_zipfile_serialization=False)
    torch.save({"weights": weights, "note": Calls(eval, "1 + 1")}, path("eval.protocol4.pt"), pickle_protocol=4)
    torch.save(filled_net(), path("whole-module.pt"))
    torch.save({"w": torch.tensor([1 + 2j])}, path("complex.pt"))
    torch.save({"w": torch.tensor([1, 2, 3], dtype=torch.uint16)}, path("uint16.pt"))
    torch.save({"w": torch.ones(3)._neg_view()}, path("negated.pt"))
    torch.save({"w": torch.eye(3).to_sparse()}, path("sparse.pt"))
    torch.save({"epoch": 3, "net": weights}, path("other-key.pt"))
    torch.save({"w": weights["fc.weight"].untyped_storage()}, path("bare-storage.pt"))
    torch.jit.script(torch.nn.Linear(2, 1)).save(path("torchscript.pt"))
    with open(path("not-torch.pkl"), "wb") as f:
        pickle.dump({"a": 1}, f, protocol=2)

    # Archives that PyTorch would not write.
    same = lambda name, data: data  # noqa: E731
    zip_with("compressed.pt", same, compress_type=zipfile.ZIP_DEFLATED)
    bomb = lambda name, data: b"\0" * 2_000_000 if name.endswith("data/0") else data  # noqa: E731
    zip_with("bomb.pt", bomb, compress_type=zipfile.ZIP_DEFLATED)
    zip_with("big-endian.pt", lambda name, data: b"big" if name.endswith("byteorder") else data)
    zip_with("no-byteorder.pt", lambda name, data: None if name.endswith("byteorder") else data)
    expect("no-byteorder.pt", weights, format="torch-zip")
    zip_with("short-storage.pt", lambda name, data: data[:-4] if name.endswith("data/0") else data)
    zip_with("missing-storage.pt", lambda name, data: None if name.endswith("data/0") else data)
    zip_with("short-pickle.pt", lambda name, data: data[:-20] if name.endswith("data.pkl") else data)
    zip_with("long-pickle.pt", lambda name, data: data + b"N." if name.endswith("data.pkl") else data)
    twice_pointed_zip("same-bytes.pt")
    storage_views("storage-views.legacy.pt")
    with open(path("bare.legacy.pt"), "rb") as f:
        legacy = f.read()
    with open(path("big-endian.legacy.pt"), "wb") as f:
        f.write(legacy.replace(b"little_endianq\x02\x88", b"little_endianq\x02\x89"))
    old_tar("legacy-tar.pt")


def twice_pointed_zip(name):
    """Two directory entries that point at one run of bytes."""
    with open(path("bare.zip.pt"), "rb") as f:
        data = bytearray(f.read())
    first = data.index(b"PK\x01\x02", data.rindex(b"PK\x03\x04"))
    headers = []
    at = first
    while data[at:at + 4] == b"PK\x01\x02":
        lengths = struct.unpack_from("<HHH", data, at + 28)
        headers.append((at, bytes(data[at + 46:at + 46 + lengths[0]])))
        at += 46 + sum(lengths)
    by_name = {entry.split(b"/", 1)[1]: at for at, entry in headers}
    target, source = by_name[b"data/1"], by_name[b"data/0"]
    data[target + 42:target + 46] = data[source + 42:source + 46]
    with open(path(name), "wb") as f:
        f.write(data)


def storage_views(name):
    """As PyTorch before 0.4 wrote them: tensors on a part of a kept storage. Read back by torch.load to check."""
    values = np.arange(8, dtype="<f4")

    class Storage:
        def __init__(self, view):
            self.id = ("storage", torch.FloatStorage, "10", "cpu", 8, view)

    class Rebuilt:
        def __init__(self, view, *args):
            self.args = (Storage(view), *args)

        def __reduce__(self):
            return torch._utils._rebuild_tensor, self.args

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return obj.id if isinstance(obj, Storage) else None

    state = OrderedDict(part=Rebuilt(("11", 2, 4), 1, (3,), (1,)), whole=Rebuilt(None, 0, (2, 4), (4, 1)))
    with open(path(name), "wb") as f:
        for header in (torch.serialization.MAGIC_NUMBER, 1001, {"little_endian": True}):
            pickle.dump(header, f, protocol=2)
        Pickler(f, protocol=2).dump(state)
        pickle.dump(["10"], f, protocol=2)
        f.write(struct.pack("<q", 8) + values.tobytes())
    loaded = torch.load(path(name), weights_only=True)
    assert loaded["part"].tolist() == [3.0, 4.0, 5.0], loaded
    expect(name, loaded, format="torch-legacy")


def old_tar(name):
    import tarfile
    with tarfile.open(path(name), "w", format=tarfile.PAX_FORMAT) as tar:
        for member in ("storages", "tensors", "pickle"):
            tar.addfile(tarfile.TarInfo(member), io.BytesIO())
    with open(path(name), "rb") as f:
        start = f.read(2048)
    with open(path(name), "wb") as f:
        f.write(start)


def numpy_files():
    arrays = {
        "f4.npy": np.arange(64, dtype="<f4") / 8, "f4-row.npy": np.arange(64, dtype="<f4").reshape(1, 64) / 8,
        "f8.npy": np.arange(6, dtype="<f8").reshape(2, 3) / 3, "u1.npy": np.arange(12, dtype="u1").reshape(2, 2, 3),
        "i8.npy": np.array([-(2**62) - 1, 5], dtype="<i8"), "scalar.npy": np.array(2.5, dtype="<f4"),
        "empty.npy": np.zeros((0, 3), dtype="<f4"), "fortran.npy": np.asfortranarray(np.arange(24, dtype="<f4").reshape(2, 3, 4)),
    }
    for name, array in arrays.items():
        np.save(path(name), array)
    for version in ((2, 0), (3, 0)):
        name = f"v{version[0]}.npy"
        arrays[name] = np.arange(6, dtype="<f4").reshape(3, 2)
        with open(path(name), "wb") as f:
            np.lib.format.write_array(f, arrays[name], version=version)
    for name, array in arrays.items():
        loaded = np.load(path(name))
        assert (loaded == array).all()
        expected[name] = {"dtype": str(array.dtype), "shape": list(array.shape),
                          "values": [v if isinstance(v, float) else str(v) for v in array.reshape(-1).tolist()]}
    np.save(path("big-endian.npy"), np.arange(3, dtype=">f4"))
    np.save(path("object.npy"), np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(path("record.npy"), np.zeros(2, dtype=[("x", "<f4"), ("y", "<i4")]))
    np.save(path("complex.npy"), np.zeros(2, dtype="<c8"))


def main():
    os.makedirs(FOLDER, exist_ok=True)
    for old in os.listdir(FOLDER):
        os.remove(path(old))
    torch.manual_seed(0)
    good_files()
    belongings()
    bad_files()
    numpy_files()
    with open(path("expected.json"), "w") as f:
        json.dump({"torch": torch.__version__, "numpy": np.__version__, "files": expected}, f, separators=(",", ":"))
    total = 0
    for name in sorted(os.listdir(FOLDER)):
        size = os.path.getsize(path(name))
        total += size
        print(f"{size:8d}  {zlib.crc32(open(path(name), 'rb').read()):08x}  {name}")
    print(f"{total:8d}  total")


main()
