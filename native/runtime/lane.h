// The compute lane: one thread per process that does all LibTorch work, first in first out.
//
// Why one thread: OpenMP keeps a pool per calling thread, the random generator's order stays fixed, and libuv's four
// threads stay free for files and images. Jobs of one environment (the main thread or a worker) run in call order;
// several environments take turns.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace cxr {

/// Work for the lane. Destroying a job without running it drops it.
class Job {
 public:
  virtual ~Job() = default;
  virtual void run() noexcept = 0;
};

class Lane {
 public:
  /// Heap-allocated and never destroyed: a static destructor could run while the lane is still inside LibTorch.
  static Lane& instance();

  /// One environment's queue.
  class Queue;

  std::shared_ptr<Queue> open();
  /// False, and the job dropped, when the queue has been closed.
  bool post(Queue& queue, std::unique_ptr<Job> job);
  /// Drops the queued jobs and waits for the running one; the thread ends with the last queue. Idempotent.
  void close(Queue& queue);
  size_t pending(Queue& queue);

 private:
  struct Runner {
    std::thread thread;
    bool stop = false;  // its own flag: a lane that stops and starts again must not revive the old thread
  };

  Lane() = default;
  void loop(Runner& self);
  std::unique_ptr<Job> next(std::unique_lock<std::mutex>& lock, Runner& self, std::shared_ptr<Queue>& owner);

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::vector<std::shared_ptr<Queue>> queues_;
  size_t turn_ = 0;
  Queue* running_ = nullptr;
  std::unique_ptr<Runner> runner_;
};

class Lane::Queue {
  friend class Lane;
  std::deque<std::unique_ptr<Job>> jobs_;
  bool closed_ = false;
};

}  // namespace cxr
