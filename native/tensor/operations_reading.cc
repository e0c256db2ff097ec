#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include "tensor/failure.h"
#include "tensor/operations.h"

namespace cxr {
namespace {

Reply describe(const at::Tensor& x) {
  Reply reply;
  reply.texts = {dtypeName(x.scalar_type()), x.device().str()};
  for (auto size : x.sizes()) reply.numbers.push_back(static_cast<double>(size));
  return reply;
}

}  // namespace

void registerReading(Registry& registry) {
  registry.addQuery("ready", 1, 1, [](const Options&) -> QueryKernel {
    return [](const Tensors& in) { return describe(in[0]); };
  });
  registry.addQuery("item", 1, 1, [](const Options&) -> QueryKernel {
    return [](const Tensors& in) {
      if (in[0].numel() != 1) throw invalidShape("Expected a tensor of one element");
      Reply reply;
      reply.numbers = {in[0].item<double>()};
      return reply;
    };
  });
  registry.addQuery("read", 1, 1, [](const Options&) -> QueryKernel {
    return [](const Tensors& in) {
      Reply reply = describe(in[0]);
      reply.bytes = in[0].detach().to(at::kCPU).contiguous();
      return reply;
    };
  });
  // Everything queued before it has run when it is answered.
  registry.addQuery("flush", 0, 0, [](const Options&) -> QueryKernel {
    return [](const Tensors&) { return Reply{}; };
  });
  // OpenMP's thread number belongs to the calling thread, so it must be set on the lane.
  registry.addQuery("threads", 0, 0, [](const Options& options) -> QueryKernel {
    const int64_t wanted = options.integer("threads", 0);
    return [=](const Tensors&) {
      if (wanted > 0) at::set_num_threads(static_cast<int>(wanted));
      Reply reply;
      reply.numbers = {static_cast<double>(at::get_num_threads())};
      reply.texts = {at::get_cpu_capability()};
      return reply;
    };
  });
}

}  // namespace cxr
