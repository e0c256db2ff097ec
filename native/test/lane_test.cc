#include <atomic>
#include <chrono>
#include <thread>

#include "runtime/data_lane.h"
#include "runtime/lane.h"
#include "test/check.h"

namespace cxr::test {
namespace {

using std::chrono::milliseconds;

class FunctionJob : public Job {
 public:
  FunctionJob(std::function<void()> work, std::atomic<int>* alive) : work_(std::move(work)), alive_(alive) { ++*alive_; }
  ~FunctionJob() override { --*alive_; }
  void run() noexcept override { work_(); }

 private:
  std::function<void()> work_;
  std::atomic<int>* alive_;
};

std::atomic<int> alive{0};

bool post(Lane::Queue& queue, std::function<void()> work) {
  return Lane::instance().post(queue, std::make_unique<FunctionJob>(std::move(work), &alive));
}

void drain(Lane::Queue& queue) {
  while (Lane::instance().pending(queue) > 0) std::this_thread::sleep_for(milliseconds(1));
}

const bool order = add("lane: jobs of one queue run in order", [] {
  auto queue = Lane::instance().open();
  std::vector<int> seen;  // only the lane touches it until it is drained
  for (int i = 0; i < 1000; ++i) post(*queue, [&seen, i] { seen.push_back(i); });
  drain(*queue);
  for (int i = 0; i < 1000; ++i) check(seen.at(i) == i, "out of order at " + std::to_string(i));
  Lane::instance().close(*queue);
  check(alive == 0, "a job outlived its run");
});

const bool turns = add("lane: two queues take turns", [] {
  auto first = Lane::instance().open(), second = Lane::instance().open();
  std::atomic<bool> started{false}, go{false};
  std::vector<char> seen;
  post(*first, [&] {
    started = true;
    while (!go) std::this_thread::yield();
  });
  while (!started) std::this_thread::yield();
  for (int i = 0; i < 50; ++i) post(*first, [&seen] { seen.push_back('a'); });
  for (int i = 0; i < 50; ++i) post(*second, [&seen] { seen.push_back('b'); });
  go = true;
  drain(*first);
  drain(*second);
  for (size_t i = 1; i < seen.size(); ++i) check(seen[i] != seen[i - 1], "one queue ran twice in a row");
  Lane::instance().close(*first);
  Lane::instance().close(*second);
});

const bool closing = add("lane: close drops what is queued and waits for what runs", [] {
  auto queue = Lane::instance().open(), other = Lane::instance().open();
  std::atomic<bool> started{false}, ended{false}, dropped{true}, others{false};
  post(*queue, [&] {
    started = true;
    std::this_thread::sleep_for(milliseconds(50));
    ended = true;
  });
  for (int i = 0; i < 10; ++i) post(*queue, [&] { dropped = false; });
  post(*other, [&] { others = true; });
  while (!started) std::this_thread::yield();
  Lane::instance().close(*queue);
  check(ended, "did not wait for the running job");
  check(!post(*queue, [] {}), "took a job after the close");
  Lane::instance().close(*queue);
  drain(*other);
  check(dropped && others, "ran a dropped job, or not the other queue's");
  Lane::instance().close(*other);
  check(alive == 0, "a dropped job was not destroyed");
});

const bool coming = add("lane: environments that come and go at once", [] {
  std::atomic<int> ran{0};
  std::vector<std::thread> environments;
  for (int t = 0; t < 6; ++t) {
    environments.emplace_back([&ran, t] {
      for (int round = 0; round < 200; ++round) {
        auto queue = Lane::instance().open();
        for (int i = 0; i < 3; ++i) post(*queue, [&ran] { ++ran; });
        if ((round + t) % 3 != 0) drain(*queue);  // else it leaves with jobs queued
        Lane::instance().close(*queue);
      }
    });
  }
  for (auto& environment : environments) environment.join();
  check(ran >= 6 * 133 * 3, "jobs were lost: " + std::to_string(ran));
  check(alive == 0, "a job was not destroyed");
});

const bool data = add("data lane: results of every job, with any number of threads", [] {
  auto& lane = DataLane::instance();
  std::vector<std::thread> environments;
  std::atomic<int> sum{0};
  for (int t = 0; t < 4; ++t) {
    environments.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        auto queue = lane.open();
        for (int i = 0; i < 20; ++i) lane.post(*queue, [&sum] { ++sum; });
        while (lane.pending(*queue) > 0) std::this_thread::yield();
        lane.close(*queue);
        check(!lane.post(*queue, [] {}), "took work after the close");
      }
    });
  }
  for (int i = 0; i < 60; ++i) lane.setThreads(1 + i % 4);
  for (auto& environment : environments) environment.join();
  check(sum == 4 * 50 * 20, "work was lost");
  lane.setThreads(1);
});

}  // namespace
}  // namespace cxr::test
