#include "runtime/lane.h"

#include <algorithm>
#include <chrono>

#include "runtime/host_memory.h"

#ifdef __linux__
#include <pthread.h>
#endif

namespace cxr {
namespace {

/// A lane that has had nothing to do for so long gives the memory back that it keeps for its next step.
constexpr auto kIdle = std::chrono::seconds(2);

}  // namespace

Lane& Lane::instance() {
  static Lane* lane = new Lane();  // leaked on purpose: see the header
  return *lane;
}

std::shared_ptr<Lane::Queue> Lane::open() {
  std::lock_guard lock(mutex_);
  auto queue = std::make_shared<Queue>();
  if (!runner_) {
    // Kept only once its thread runs: one that the system refuses leaves nothing that would be waited for.
    auto runner = std::make_unique<Runner>();
    runner->thread = std::thread([this, &self = *runner] { loop(self); });
    runner_ = std::move(runner);
  }
  queues_.push_back(queue);
  return queue;
}

bool Lane::post(Queue& queue, std::unique_ptr<Job> job) {
  {
    std::lock_guard lock(mutex_);
    if (queue.closed_) return false;
    queue.jobs_.push_back(std::move(job));
  }
  work_.notify_one();
  return true;
}

size_t Lane::pending(Queue& queue) {
  std::lock_guard lock(mutex_);
  return queue.jobs_.size() + (running_ == &queue ? 1 : 0);
}

void Lane::close(Queue& queue) {
  std::deque<std::unique_ptr<Job>> dropped;  // destroyed after the lock: a job's tensors may take a while to free
  std::unique_ptr<Runner> ended;
  {
    std::unique_lock lock(mutex_);
    if (queue.closed_) return;
    queue.closed_ = true;
    dropped.swap(queue.jobs_);
    idle_.wait(lock, [&] { return running_ != &queue; });
    std::erase_if(queues_, [&](const auto& other) { return other.get() == &queue; });
    if (queues_.empty()) {
      ended = std::move(runner_);
      ended->stop = true;
    }
  }
  if (ended) {
    work_.notify_all();
    ended->thread.join();
  }
}

std::unique_ptr<Job> Lane::next(std::unique_lock<std::mutex>& lock, Runner& self, std::shared_ptr<Queue>& owner) {
  bool rested = false;
  for (;;) {
    if (self.stop) return nullptr;
    for (size_t step = 1; step <= queues_.size(); ++step) {
      const size_t index = (turn_ + step) % queues_.size();
      auto& jobs = queues_[index]->jobs_;
      if (jobs.empty()) continue;
      turn_ = index;
      owner = queues_[index];
      auto job = std::move(jobs.front());
      jobs.pop_front();
      return job;
    }
    if (rested) {
      work_.wait(lock);
    } else if (work_.wait_for(lock, kIdle) == std::cv_status::timeout) {
      lock.unlock();
      releaseHostMemory();
      lock.lock();
      rested = true;
    }
  }
}

void Lane::loop(Runner& self) {
#ifdef __linux__
  pthread_setname_np(pthread_self(), "cxr-compute");
#endif
  std::unique_lock lock(mutex_);
  std::shared_ptr<Queue> owner;
  while (auto job = next(lock, self, owner)) {
    running_ = owner.get();
    lock.unlock();
    job->run();
    job.reset();
    lock.lock();
    running_ = nullptr;
    owner.reset();
    idle_.notify_all();
  }
}

}  // namespace cxr
