#include "runtime/data_lane.h"

#include <algorithm>
#include <string>
#include <utility>

#ifdef __linux__
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "runtime/error.h"

namespace cxr {
namespace {

/// Lets LibTorch's threads go first. Measured on 2 cores beside a ResNet step in bfloat16 of 131 ms, this
/// thread busy without a pause (least of 7 interleaved runs): 439 ms at ordinary priority, 539 ms with
/// SCHED_BATCH, 192 ms with SCHED_IDLE, 146 ms at nice 19. An OpenMP loop ends with its slowest thread, so a
/// displaced thread stalls the others. Nobody starves: compute that waits for a batch leaves its cores to
/// this thread.
void stepBack() {
#ifdef __linux__
  pthread_setname_np(pthread_self(), "cxr-data");
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 19);
#endif
}

}  // namespace

DataLane& DataLane::instance() {
  static DataLane* lane = new DataLane();  // leaked on purpose: see the header
  return *lane;
}

std::shared_ptr<DataLane::Queue> DataLane::open() {
  std::lock_guard lock(mutex_);
  queues_.push_back(std::make_shared<Queue>());
  return queues_.back();
}

bool DataLane::post(Queue& queue, Work work) {
  {
    std::lock_guard lock(mutex_);
    if (queue.closed_) return false;
    startMissing();
    queue.jobs_.push_back(std::move(work));
  }
  work_.notify_one();
  return true;
}

void DataLane::close(Queue& queue) {
  std::deque<Work> dropped;  // destroyed after the lock
  Workers ended;
  {
    std::unique_lock lock(mutex_);
    if (queue.closed_) return;
    queue.closed_ = true;
    dropped.swap(queue.jobs_);
    idle_.wait(lock, [&] { return queue.running_ == 0; });
    std::erase_if(queues_, [&](const auto& other) { return other.get() == &queue; });
    if (queues_.empty()) ended = takeSurplus(0);
  }
  work_.notify_all();
  join(ended);
}

size_t DataLane::pending(Queue& queue) {
  std::lock_guard lock(mutex_);
  return queue.jobs_.size() + queue.running_;
}

void DataLane::setThreads(int count) {
  if (count < 1 || count > kMaxThreads) {
    throw invalidArgument("Expected 1 to " + std::to_string(kMaxThreads) + " data threads but received " +
                          std::to_string(count));
  }
  Workers ended;
  {
    std::lock_guard lock(mutex_);
    wanted_ = static_cast<size_t>(count);
    if (workers_.size() > wanted_) ended = takeSurplus(wanted_);
    if (!workers_.empty()) startMissing();
  }
  work_.notify_all();
  join(ended);
}

int DataLane::threads() {
  std::lock_guard lock(mutex_);
  return static_cast<int>(wanted_);
}

void DataLane::startMissing() {
  workers_.reserve(wanted_);
  while (workers_.size() < wanted_) {
    // Kept only once its thread runs: one that the system refuses leaves nothing that would be waited for.
    auto worker = std::make_unique<Worker>();
    worker->thread = std::thread([this, &self = *worker] { loop(self); });
    workers_.push_back(std::move(worker));
  }
}

DataLane::Workers DataLane::takeSurplus(size_t keep) {
  Workers surplus;
  while (workers_.size() > keep) {
    workers_.back()->stop = true;
    surplus.push_back(std::move(workers_.back()));
    workers_.pop_back();
  }
  return surplus;
}

void DataLane::join(Workers& workers) {
  for (auto& worker : workers) worker->thread.join();
}

bool DataLane::next(std::unique_lock<std::mutex>& lock, Worker& self, std::shared_ptr<Queue>& owner,
                    Work& work) {
  for (;;) {
    if (self.stop) return false;
    for (size_t step = 1; step <= queues_.size(); ++step) {
      const size_t index = (turn_ + step) % queues_.size();
      auto& jobs = queues_[index]->jobs_;
      if (jobs.empty()) continue;
      turn_ = index;
      owner = queues_[index];
      work = std::move(jobs.front());
      jobs.pop_front();
      return true;
    }
    work_.wait(lock);
  }
}

void DataLane::loop(Worker& self) {
  stepBack();
  std::shared_ptr<Queue> owner;
  Work work;
  std::unique_lock lock(mutex_);
  while (next(lock, self, owner, work)) {
    ++owner->running_;
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
    --owner->running_;
    owner.reset();
    idle_.notify_all();
  }
}

}  // namespace cxr
