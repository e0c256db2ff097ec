// Precompiled for every unit that uses LibTorch (see CMakeLists.txt). Sources do not include this file, each names what
// it needs. Kept to what nearly all need: with torch/nn/modules.h in it the header itself takes twice as long, and a
// unit without layers too, since g++ instantiates anew what the header left pending.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>
