// How much of an attention map's heat lies where the disease of a label belongs, as a number to be minimised.
//
// Wu, Japkowicz, Gilbert, Corizzo, "Localization-aware chest X-ray classification via segmentation and gradient-based
// attention", Data Mining and Knowledge Discovery 40(4):47, 2026; the published form is that of cxr-loc-attention,
// scripts/model_loss_attent.py.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "tensor/registry.h"

namespace cxr::loss {

/// Where a disease shows, relative to the box around the lungs.
enum class Region {
  kNone,        ///< the class has no place: its attention term is 0
  kUpper,       ///< upper half of the box
  kLower,       ///< lower half of the box
  kInside,      ///< the box
  kOutside,     ///< as published: all but the box's columns from its top to the image's bottom
  kComplement,  ///< all but the box
  kWhole,       ///< the image
};

/// "none", "upper", "lower", "inside", "outside", "complement", "whole".
Region parseRegion(const std::string& name);

struct Localisation {
  std::vector<Region> regions;  ///< by class
  double threshold = 0.3;       ///< what is hot, in [0, 1]
  int64_t width = 0;            ///< of the image whose pixels the boxes are in; 0: the map's
  int64_t height = 0;
};

/// Which pixels of each map [H, W] belong to the region of the sample's class.
struct RegionMask {
  at::Tensor inside;  ///< [B, H, W] bool
  at::Tensor area;    ///< [B] int64: number of pixels inside
  at::Tensor active;  ///< [B] bool: the class has a region, and it is not empty
  at::Tensor empty;   ///< [B] bool: the class has a region, but no pixel of the map lies in it
};

/// @param boxes [B, 4] integers: x, y, width, height
/// @param labels [B]
RegionMask regionMask(const at::Tensor& maps, const at::Tensor& boxes, const at::Tensor& labels,
                      const Localisation& settings);

/// {a [B], empty [B]}: a = 1 - share of the region's pixels with M > t. No gradient.
Tensors publishedAttention(const at::Tensor& maps, const at::Tensor& boxes, const at::Tensor& labels,
                           const Localisation& settings);

/// {a [B], o [B], empty [B]}: with heat = sigmoid((M - t) / tau), a = 1 - mean heat of the region, o = mean heat of all
/// other pixels.
Tensors softAttention(const at::Tensor& maps, const at::Tensor& boxes, const at::Tensor& labels,
                      const Localisation& settings, double tau);

}  // namespace cxr::loss
