#include <ATen/ATen.h>

#include "tensor/operations.h"

namespace cxr {

void registerIndexing(Registry& registry) {
  registry.add("select", 1, 1, [](const Options& options) -> Kernel {
    const int64_t dim = options.integer("dim"), index = options.integer("index");
    return [=](const Tensors& in) -> Tensors { return {in[0].select(dim, index)}; };
  });
  registry.add("slice", 1, 1, [](const Options& options) -> Kernel {
    const int64_t dim = options.integer("dim"), step = options.integer("step", 1);
    const int64_t start = options.integer("start", 0);
    const int64_t end = options.integer("end", INT64_MAX >> 11);
    if (step < 1) throw invalidArgument("Expected at least 1 for step but received " + std::to_string(step));
    return [=](const Tensors& in) -> Tensors { return {in[0].slice(dim, start, end, step)}; };
  });
  registry.add("gather", 2, 2, [](const Options& options) -> Kernel {
    const int64_t dim = options.integer("dim");
    return [=](const Tensors& in) -> Tensors { return {in[0].gather(dim, in[1])}; };
  });
  registry.add("indexSelect", 2, 2, [](const Options& options) -> Kernel {
    const int64_t dim = options.integer("dim");
    return [=](const Tensors& in) -> Tensors { return {in[0].index_select(dim, in[1])}; };
  });
  registry.add("maskedSelect", 2, 2, [](const Options&) -> Kernel {
    return [](const Tensors& in) -> Tensors { return {in[0].masked_select(in[1])}; };
  });
  registry.add("maskedFill", 2, 2, [](const Options& options) -> Kernel {
    const at::Scalar value = toScalar(options.number("value"));
    return [=](const Tensors& in) -> Tensors { return {in[0].masked_fill(in[1], value)}; };
  });
  registry.add("oneHot", 1, 1, [](const Options& options) -> Kernel {
    const int64_t classes = options.integer("classes");
    if (classes < 1) throw invalidArgument("Expected at least 1 for classes but received " + std::to_string(classes));
    return [=](const Tensors& in) -> Tensors {
      if (!at::isIntegralType(in[0].scalar_type(), /*includeBool=*/false)) {
        throw Error("ERR_INVALID_DTYPE", "Expected an integer dtype for class indices");
      }
      const bool fits = in[0].lt(0).logical_or(in[0].ge(classes)).any().logical_not().item<bool>();
      if (!fits) throw invalidArgument("Expected class indices from 0 to " + std::to_string(classes - 1));
      return {at::one_hot(in[0], classes)};
    };
  });
  registry.addMany("topk", 1, 1, 2, [](const Options& options) -> Kernel {
    const int64_t k = options.integer("k"), dim = options.integer("dim", -1);
    if (k < 0) throw invalidArgument("Expected at least 0 for k but received " + std::to_string(k));
    return [=](const Tensors& in) -> Tensors {
      auto [values, indices] = at::topk(in[0], k, dim);
      return {values, indices};
    };
  });
  registry.addMany("sort", 1, 1, 2, [](const Options& options) -> Kernel {
    const int64_t dim = options.integer("dim", -1);
    const bool descending = options.flag("descending");
    return [=](const Tensors& in) -> Tensors {
      auto [values, indices] = at::sort(in[0], /*stable=*/true, dim, descending);
      return {values, indices};
    };
  });
}

}  // namespace cxr
