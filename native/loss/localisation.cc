#include "loss/localisation.h"

#include <c10/util/StringUtil.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "loss/checks.h"
#include "tensor/failure.h"

namespace cxr::loss {
namespace {

/// Rows [top, bottom) and columns [left, right) of a map, or all other pixels.
struct Area {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  bool others = false;
};

struct Size {
  int64_t height, width;
};

/// (2 y + h) / 2 rounded half to even, as Python's round does.
int64_t middle(int64_t y, int64_t h) {
  const int64_t twice = 2 * y + h;
  const int64_t below = twice / 2;
  return twice % 2 == 0 || below % 2 == 0 ? below : below + 1;
}

/// An edge in pixels of another size; half to even.
int64_t scaled(int64_t edge, int64_t from, int64_t to) {
  if (from == to) return edge;
  return static_cast<int64_t>(std::nearbyint(static_cast<double>(edge) * static_cast<double>(to) / static_cast<double>(from)));
}

Area areaOf(Region region, const int64_t* box, const Size& from, const Size& map) {
  const int64_t left = scaled(box[0], from.width, map.width);
  const int64_t right = scaled(box[0] + box[2], from.width, map.width);
  const int64_t top = scaled(box[1], from.height, map.height);
  const int64_t bottom = scaled(box[1] + box[3], from.height, map.height);
  const int64_t half = middle(top, bottom - top);
  switch (region) {
    case Region::kUpper:
      return {top, half, left, right, false};
    case Region::kLower:
      return {half, bottom, left, right, false};
    case Region::kInside:
      return {top, bottom, left, right, false};
    case Region::kOutside:
      return {top, map.height, left, right, true};
    case Region::kComplement:
      return {top, bottom, left, right, true};
    case Region::kWhole:
      return {0, map.height, 0, map.width, false};
    case Region::kNone:
      break;
  }
  return {};
}

void checkBox(const int64_t* box, int64_t index) {
  if (box[0] >= 0 && box[1] >= 0 && box[2] >= 0 && box[3] >= 0) return;
  throw invalidArgument(c10::str("Expected x, y, width and height of at least 0 for boxes[", index, "] but received ",
                                 box[0], ", ", box[1], ", ", box[2], ", ", box[3]));
}

at::Tensor checkedMaps(const at::Tensor& maps) {
  const at::Tensor values = workingPrecision(maps, "maps");
  expectDimensions(values, 3, "[B, H, W]", "maps");
  if (values.numel() == 0)
    throw invalidShape("Expected maps that are not empty for maps but received " + c10::str(values.sizes()));
  return values;
}

/// One value a sample, to be multiplied into sums: [B] bool or int64 in the maps' type.
at::Tensor like(const at::Tensor& values, const at::Tensor& maps) { return values.to(maps.scalar_type()); }

}  // namespace

Region parseRegion(const std::string& name) {
  static const std::array<const char*, 7> names{"none", "upper", "lower", "inside", "outside", "complement", "whole"};
  for (size_t i = 0; i < names.size(); i++) {
    if (name == names[i]) return static_cast<Region>(i);
  }
  throw invalidArgument("Expected a known region for regions but received '" + name + "'");
}

RegionMask regionMask(const at::Tensor& maps, const at::Tensor& boxes, const at::Tensor& labels,
                      const Localisation& settings) {
  const int64_t batch = maps.size(0);
  const Size map{maps.size(1), maps.size(2)};
  const Size from{settings.height > 0 ? settings.height : map.height, settings.width > 0 ? settings.width : map.width};
  if (boxes.dim() != 2 || boxes.size(0) != batch || boxes.size(1) != 4 ||
      !at::isIntegralType(boxes.scalar_type(), /*includeBool=*/false)) {
    throw invalidShape(c10::str("Expected integers [", batch, ", 4] for boxes but received ",
                                dtypeName(boxes.scalar_type()), " ", boxes.sizes()));
  }
  const auto classes = static_cast<int64_t>(settings.regions.size());
  // The labels are checked as they are beside logits [B, C].
  const at::Tensor y = checkedLabels(labels, at::empty({batch, classes}, at::kFloat)).contiguous();
  const at::Tensor b = boxes.to(at::kCPU, at::kLong).contiguous();
  // top, bottom, left, right, others, has a region
  at::Tensor bounds = at::zeros({6, batch}, at::kLong);
  for (int64_t i = 0; i < batch; i++) {
    const int64_t* box = b.const_data_ptr<int64_t>() + 4 * i;
    checkBox(box, i);
    const Region region = settings.regions[static_cast<size_t>(y.const_data_ptr<int64_t>()[i])];
    const Area area = areaOf(region, box, from, map);
    const std::array<int64_t, 6> row{area.top,   area.bottom, area.left,
                                     area.right, area.others, region == Region::kNone ? 0 : 1};
    for (int64_t k = 0; k < 6; k++) bounds.mutable_data_ptr<int64_t>()[k * batch + i] = row[static_cast<size_t>(k)];
  }
  bounds = bounds.to(maps.device()).unsqueeze(2);  // [6, B, 1]
  const at::Tensor rows = at::arange(map.height, bounds.options());
  const at::Tensor columns = at::arange(map.width, bounds.options());
  const at::Tensor tall = rows.ge(bounds[0]).logical_and_(rows.lt(bounds[1]));        // [B, H]
  const at::Tensor wide = columns.ge(bounds[2]).logical_and_(columns.lt(bounds[3]));  // [B, W]
  const at::Tensor others = bounds[4].to(at::kBool);                                  // [B, 1]
  const at::Tensor inside = tall.unsqueeze(2).logical_and(wide.unsqueeze(1)).logical_xor_(others.unsqueeze(2));
  const at::Tensor rectangle = tall.sum(1) * wide.sum(1);
  const at::Tensor area = at::where(others.squeeze(1), map.height * map.width - rectangle, rectangle);
  const at::Tensor has = bounds[5].squeeze(1).to(at::kBool);
  return {inside, area, has.logical_and(area.gt(0)), has.logical_and(area.eq(0))};
}

Tensors publishedAttention(const at::Tensor& given, const at::Tensor& boxes, const at::Tensor& labels,
                           const Localisation& settings) {
  const at::Tensor maps = checkedMaps(given.detach());
  const RegionMask region = regionMask(maps, boxes, labels, settings);
  const at::Tensor hot = maps.gt(settings.threshold).logical_and_(region.inside).sum(at::IntArrayRef{1, 2});
  // Whole counts, so that the ratio is rounded once.
  const at::Tensor share = hot.to(at::kDouble) / region.area.clamp_min(1);
  return {like(at::where(region.active, 1 - share, 0.0), maps), region.empty};
}

Tensors softAttention(const at::Tensor& given, const at::Tensor& boxes, const at::Tensor& labels,
                      const Localisation& settings, double tau) {
  const at::Tensor maps = checkedMaps(given);
  const RegionMask region = regionMask(maps, boxes, labels, settings);
  const at::Tensor heat = ((maps - settings.threshold) / tau).sigmoid();
  const at::Tensor rest = maps.size(1) * maps.size(2) - region.area;
  const at::Tensor share = at::where(region.inside, heat, 0.0).sum(at::IntArrayRef{1, 2}) / region.area.clamp_min(1);
  const at::Tensor spilt = at::where(region.inside, 0.0, heat).sum(at::IntArrayRef{1, 2}) / rest.clamp_min(1);
  const at::Tensor active = like(region.active, maps);
  return {(1 - share) * active, spilt * active, region.empty};
}

}  // namespace cxr::loss
