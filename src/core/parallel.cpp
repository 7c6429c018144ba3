#include "cytograd/core/parallel.h"

#include <sched.h>

#include <atomic>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "cytograd/core/error.h"

namespace cytograd {
namespace {

int default_threads() {
  if (const char* text = std::getenv("CYTO_THREADS")) {
    int count = 0;
    const auto [end, ec] = std::from_chars(text, text + std::strlen(text), count);
    if (ec != std::errc{} || *end || count < 1)
      throw ConfigError("CYTO_THREADS expects a whole number >= 1, got \"" + std::string(text) +
                        "\"");
    return count;
  }
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

// True on a worker, and on a caller while it runs chunks: nested loops then stay on their thread.
thread_local bool inside_parallel = false;

struct Job {
  int64_t n, grain, chunks;
  detail::ChunkFunction function;
  void* context;
  std::atomic<int64_t> next{0};
  std::atomic<int> active{0};  // workers inside run(); grows only under Pool::mutex_
  std::exception_ptr error{};
  std::mutex error_mutex{};

  void run() {
    for (int64_t k; (k = next.fetch_add(1, std::memory_order_relaxed)) < chunks;) {
      try {
        function(context, k * grain, std::min(n, (k + 1) * grain));
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (!error) error = std::current_exception();
      }
    }
  }
};

// A loop over a layer's tiles follows the last one within microseconds: waiting that long awake is
// much cheaper than waking a sleeping thread each time.
constexpr int kSpins = 4000;  // about 50 us

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// Workers wait for a job; several callers may submit at once, each helps with its own job until it
// is done.
class Pool {
 public:
  ~Pool() { resize(0); }

  void resize(int workers) {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    stop_ = false;
    for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
  }

  void run(Job& job) {
    int asleep;
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(&job);
      queued_.store(static_cast<int>(queue_.size()), std::memory_order_relaxed);
      asleep = asleep_;
    }
    if (asleep > 0) job.chunks > 2 ? wake_.notify_all() : wake_.notify_one();
    job.run();
    {
      const std::lock_guard lock(mutex_);
      remove(&job);  // from here no further worker can join it
    }
    for (int i = 0; i < kSpins && job.active.load(std::memory_order_acquire) > 0; ++i)
      pause_briefly();
    if (job.active.load(std::memory_order_acquire) == 0) return;
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return job.active.load(std::memory_order_acquire) == 0; });
  }

 private:
  void remove(Job* job) {
    std::erase(queue_, job);
    queued_.store(static_cast<int>(queue_.size()), std::memory_order_relaxed);
  }

  void work() {
    inside_parallel = true;
    while (true) {
      for (int i = 0; i < kSpins && queued_.load(std::memory_order_relaxed) == 0 && !stop_; ++i)
        pause_briefly();
      std::unique_lock lock(mutex_);
      ++asleep_;
      wake_.wait(lock, [&] { return stop_ || !queue_.empty(); });
      --asleep_;
      if (stop_) return;
      Job* job = queue_.front();
      job->active.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      job->run();
      lock.lock();
      remove(job);
      // Under the lock, so that a caller about to sleep on done_ cannot miss it; the job is not
      // touched after.
      if (job->active.fetch_sub(1, std::memory_order_release) == 1) done_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<Job*> queue_;
  std::vector<std::thread> threads_;
  std::atomic<int> queued_{0};  // queue_.size(), to look at without the lock
  int asleep_ = 0;
  std::atomic<bool> stop_{false};
};

struct State {
  int count = default_threads();
  bool started = false;
  std::mutex mutex;
  Pool pool;
};

State& state() {
  static State instance;
  return instance;
}

}  // namespace

int num_threads() { return state().count; }

void set_num_threads(int count) {
  check<ValueError>(count >= 1, "set_num_threads", "count must be >= 1, got ", count);
  State& s = state();
  const std::lock_guard lock(s.mutex);
  if (count == s.count) return;
  s.count = count;
  if (s.started) s.pool.resize(count - 1);
}

void detail::parallel_for(int64_t n, int64_t grain, ChunkFunction function, void* context) {
  if (n <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t chunks = (n + grain - 1) / grain;
  State& s = state();
  if (chunks == 1 || inside_parallel || s.count == 1) {
    for (int64_t begin = 0; begin < n; begin += grain)
      function(context, begin, std::min(n, begin + grain));
    return;
  }
  {
    const std::lock_guard lock(s.mutex);
    if (!s.started) {
      s.pool.resize(s.count - 1);
      s.started = true;
    }
  }
  Job job{.n = n, .grain = grain, .chunks = chunks, .function = function, .context = context};
  inside_parallel = true;
  s.pool.run(job);
  inside_parallel = false;
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace cytograd
