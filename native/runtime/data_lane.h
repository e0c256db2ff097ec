// The data lane: one or two threads per process for plain C++ (resizing, rotation, reading the prepared
// cache, heat maps). No LibTorch, OpenMP or shared randomness here, so nothing of it can disturb the compute
// lane's thread pool or random stream; results are placed by index, so the order in which jobs finish does
// not matter.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace cxr {

class DataLane {
 public:
  /// Work for the lane. It must not throw: what it has to say it says through a promise. Dropping it unrun
  /// must be safe on any thread.
  using Work = std::function<void()>;

  static constexpr int kMaxThreads = 16;

  /// Heap-allocated and never destroyed, as the compute lane is.
  static DataLane& instance();

  /// One environment's queue; several environments take turns.
  class Queue;

  std::shared_ptr<Queue> open();
  /// False, and the work dropped, when the queue has been closed.
  bool post(Queue& queue, Work work);
  /// Drops the queued work and waits for what runs; the threads end with the last queue. Idempotent.
  void close(Queue& queue);
  /// Queued and running jobs of one environment.
  size_t pending(Queue& queue);

  /// 1 to kMaxThreads, for the whole process. Threads that are too many end after the job at hand.
  void setThreads(int count);
  int threads();

 private:
  struct Worker {
    std::thread thread;
    bool stop = false;  // its own flag: a lane that stops and starts again must not revive the old threads
  };
  using Workers = std::vector<std::unique_ptr<Worker>>;

  DataLane() = default;
  void loop(Worker& self);
  bool next(std::unique_lock<std::mutex>& lock, Worker& self, std::shared_ptr<Queue>& owner, Work& work);
  void startMissing();
  Workers takeSurplus(size_t keep);
  static void join(Workers& workers);

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::vector<std::shared_ptr<Queue>> queues_;
  size_t turn_ = 0;
  Workers workers_;
  size_t wanted_ = 1;
};

class DataLane::Queue {
  friend class DataLane;
  std::deque<Work> jobs_;
  size_t running_ = 0;
  bool closed_ = false;
};

}  // namespace cxr
