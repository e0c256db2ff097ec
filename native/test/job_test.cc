#include <ATen/ATen.h>

#include <atomic>
#include <future>
#include <thread>

#include "runtime/lane.h"
#include "tensor/job.h"
#include "tensor/operations.h"
#include "test/check.h"

namespace cxr::test {
namespace {

/// Counts what nobody has seen.
class Listener : public LostFailures {
 public:
  void report(FailurePtr failure) override {
    ++reports;
    last = failure->message;
  }
  std::atomic<int> reports{0};
  std::string last;
};

/// One environment without JavaScript.
struct World {
  std::shared_ptr<Lane::Queue> queue = Lane::instance().open();
  std::shared_ptr<Ledger> ledger = std::make_shared<Ledger>();
  std::shared_ptr<Listener> listener = std::make_shared<Listener>();
  Registry registry;

  World() {
    registerArithmetic(registry);
    registerReductions(registry);
    registerLinear(registry);
    registerAutograd(registry);
    registerShapes(registry);
  }
  ~World() { Lane::instance().close(*queue); }

  CellPtr cell(at::Tensor value) const {
    auto made = std::make_shared<Cell>(ledger);
    made->fill(std::move(value));
    return made;
  }
  CellPtr run(const std::string& name, std::vector<CellPtr> inputs, const Options& options = {}) {
    const Operation& operation = registry.find(name);
    std::vector<CellPtr> outputs;
    if (!operation.inPlace) outputs.push_back(std::make_shared<Cell>(ledger));
    Call call;
    call.operation = name;
    Lane::instance().post(*queue, std::make_unique<TensorJob>(call, inputs, outputs, operation.prepare(options), listener,
                                                              operation.inPlace));
    return outputs.empty() ? inputs.front() : outputs.front();
  }
  /// What a reader is told: the value, or the failure, which counts as seen.
  at::Tensor read(const CellPtr& cell, FailurePtr* failure = nullptr) {
    std::promise<void> done;
    at::Tensor value;
    auto settle = [&](Reply reply) {
      value = reply.bytes;
      done.set_value();
    };
    auto fail = [&](FailurePtr found) {
      found->observed = true;
      if (failure != nullptr) *failure = found;
      done.set_value();
    };
    auto copy = [](const Tensors& in) {
      Reply reply;
      reply.bytes = in[0].detach().clone();
      return reply;
    };
    Lane::instance().post(*queue, std::make_unique<QueryJob>(Call{}, std::vector<CellPtr>{cell}, copy, listener, settle, fail));
    done.get_future().wait();
    return value;
  }
  void flush() { read(cell(at::zeros({1}))); }
};

const bool flow = add("jobs: results, in order", [] {
  World world;
  auto x = world.cell(at::ones({4, 4}));
  auto before = world.run("matmul", {x, x});
  Options three;
  three.set("other", 3.0);
  world.run("mul_", {x}, three);
  auto after = world.run("matmul", {x, x});
  check(world.read(before).sum().item<double>() == 64, "before the change in place");
  check(world.read(after).sum().item<double>() == 576, "after it");
});

const bool poison = add("jobs: a failure flows, and is reported once if nobody sees it", [] {
  World world;
  {
    auto bad = world.run("matmul", {world.cell(at::ones({2, 3})), world.cell(at::ones({2, 3}))});
    auto dependent = world.run("sum", {world.run("add", {bad, bad})});
    FailurePtr failure;
    check(!world.read(dependent, &failure).defined() && failure, "poisoned");
    check(failure->code == "ERR_INVALID_SHAPE" && failure->operation == "matmul", failure->message);
    check(failure->message.find("float32[2,3]") != std::string::npos, failure->message);
  }
  world.flush();
  check(world.listener->reports == 0, "it was seen");
  {
    auto bad = world.run("matmul", {world.cell(at::ones({2, 3})), world.cell(at::ones({2, 3}))});
    world.run("add", {bad, bad});
  }
  world.flush();
  check(world.listener->reports == 1, "reported " + std::to_string(world.listener->reports) + " times");
});

const bool closed = add("jobs: dropped with their queue", [] {
  auto world = std::make_unique<World>();
  auto ledger = world->ledger;
  auto x = world->cell(at::ones({64, 64}));
  for (int i = 0; i < 200; ++i) x = world->run("matmul", {x, x});
  Lane::instance().close(*world->queue);
  x.reset();
  world.reset();
  check(ledger->hostBytes() == 0, std::to_string(ledger->hostBytes()) + " bytes are left");
});

const bool looking = add("cells: looked at while the lane fills and changes them", [] {
  World world;
  auto weight = world.cell(at::ones({8, 8}).requires_grad_());
  std::atomic<bool> stop{false};
  std::atomic<int> looks{0};
  std::vector<CellPtr> results(50);
  for (auto& result : results) result = world.run("matmul", {weight, weight});
  std::vector<std::thread> lookers;
  for (int t = 0; t < 2; ++t) {
    lookers.emplace_back([&] {
      // Once at least, also where a busy machine lets this thread run only after the lane is done.
      do {
        for (const auto& result : results) {
          const auto meta = result->meta();
          if (meta && (meta->shape.size() != 2 || meta->shape[0] != 8)) std::abort();
          result->failure();
          ++looks;
        }
        const auto meta = weight->meta();
        if (!meta || meta->device != at::kCPU) std::abort();
      } while (!stop);
    });
  }
  Options off, on;
  off.set("value", false);
  on.set("value", true);
  for (int i = 0; i < 100; ++i) world.run("requiresGrad_", {weight}, i % 2 == 0 ? off : on);
  world.flush();
  stop = true;
  for (auto& looker : lookers) looker.join();
  check(weight->meta()->requiresGrad, "the last change is not known");
  check(looks >= 100, "nobody looked");
});

const bool counting = add("ledger: storages once, also when they are exchanged under a handle", [] {
  auto ledger = std::make_shared<Ledger>();
  auto parameter = at::ones({100}, at::kFloat);
  auto hold = [&](const at::Tensor& tensor) {
    auto cell = std::make_shared<Cell>(ledger);
    cell->fill(tensor);
    return cell;
  };
  auto first = hold(parameter), view = hold(parameter.slice(0, 0, 10));
  check(ledger->hostBytes() == 400, "a view is counted again");
  parameter.set_data(parameter.to(at::kDouble));
  auto second = hold(parameter);
  std::vector<CellPtr> others;
  for (int i = 0; i < 20; ++i) others.push_back(hold(at::ones({100}, at::kFloat)));  // may come to lie where the old one lay
  check(ledger->hostBytes() == 400 + 800 + 20 * 400, std::to_string(ledger->hostBytes()));
  first->refresh();
  view.reset();
  check(ledger->hostBytes() == 800 + 20 * 400, std::to_string(ledger->hostBytes()));
  first.reset();
  second.reset();
  others.clear();
  check(ledger->hostBytes() == 0 && ledger->takeHostDelta() == 0, "bytes are left");
});

}  // namespace
}  // namespace cxr::test
