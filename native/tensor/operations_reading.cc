#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
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

bool hasFastBfloat16() {
#if defined(__x86_64__) && defined(__GNUC__)
  // Processors with AMX have it too.
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
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
      if (at::isIntegralType(in[0].scalar_type(), /*includeBool=*/false) && std::abs(reply.numbers[0]) > 9007199254740991.0) {
        throw Error("ERR_INVALID_DTYPE", "an integer beyond 2^53 has no exact JavaScript number: read it with data()");
      }
      return reply;
    };
  });
  // The elements in row-major order, with `widen` half precision as float32. Always a copy: jobs queued after this one may
  // write the tensor before JavaScript has read the bytes.
  registry.addQuery("read", 1, 1, [](const Options& options) -> QueryKernel {
    const bool widen = options.flag("widen");
    return [widen](const Tensors& in) {
      at::Tensor values = in[0].detach();
      if (widen && at::isReducedFloatingType(values.scalar_type())) values = values.to(at::kFloat);
      Reply reply = describe(values);
      reply.bytes = values.to(at::kCPU).contiguous();
      if (reply.bytes.is_alias_of(in[0])) reply.bytes = reply.bytes.clone();
      return reply;
    };
  });
  registry.addQuery("processor", 0, 0, [](const Options&) -> QueryKernel {
    return [](const Tensors&) {
      Reply reply;
      reply.numbers = {hasFastBfloat16() ? 1.0 : 0.0};
      return reply;
    };
  });
  // The default generator's state (dropout draws from it), so that a resumed run goes on with the same draws.
  registry.addQuery("rngState", 0, 1, [](const Options& options) -> QueryKernel {
    const int64_t seed = options.integer("seed", -1);
    return [seed](const Tensors& in) {
      at::Generator generator = at::detail::getDefaultCPUGenerator();
      if (seed >= 0) generator.set_current_seed(static_cast<uint64_t>(seed));
      if (!in.empty()) generator.set_state(in[0]);
      Reply reply;
      reply.tensors = {generator.get_state()};
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
