// Precompiled for every unit that uses LibTorch (see CMakeLists.txt). Sources do not include this file.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/functional.h>
#include <torch/nn/module.h>
#include <torch/nn/modules.h>
#include <torch/types.h>
