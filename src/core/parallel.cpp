#include "cytograd/core/parallel.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "core/flush_denormals.h"
#include "cytograd/core/error.h"

namespace cytograd {
namespace {

// Cores that this process may run on, 0 if the system does not tell.
int available_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

int default_threads() {
  if (const char* text = std::getenv("CYTO_THREADS")) {
    int count = 0;
    const auto [end, ec] = std::from_chars(text, text + std::strlen(text), count);
    if (ec != std::errc{} || *end || count < 1)
      throw ConfigError("CYTO_THREADS expects a whole number >= 1, got \"" + std::string(text) +
                        "\"");
    return count;
  }
  if (const int cores = available_cores()) return cores;
  return std::max(1u, std::thread::hardware_concurrency());
}

// True on a worker, and on a caller while it runs chunks: nested loops then stay on their thread.
thread_local bool inside_parallel = false;

struct InsideParallel {
  InsideParallel() { inside_parallel = true; }
  ~InsideParallel() { inside_parallel = false; }
};

// How long a thread looks out for work before it sleeps. To wake a sleeping thread takes as long as
// many a loop of a small network: the workers stay awake from one loop of a run to the next.
constexpr std::chrono::microseconds watch_time{200};

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Looks until `ready()` or until the time is up.
template <class Ready>
bool watch(const Ready& ready) {
  const auto end = std::chrono::steady_clock::now() + watch_time;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause_briefly();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

struct Job {
  int64_t n, grain, chunks;
  detail::ChunkFunction function;
  void* context;
  std::atomic<int64_t> next{0};
  std::atomic<int> active{0};  // workers inside run(); raised under Pool::mutex_ only
  std::mutex error_mutex{};
  std::exception_ptr error{};
  int64_t error_chunk = 0;

  // After an error no further chunk is begun. Chunks begin in order, so the failing one with the
  // smallest number has begun by then: which error is kept does not depend on the threads.
  void run() {
    for (int64_t k; (k = next.fetch_add(1, std::memory_order_relaxed)) < chunks;) {
      const int64_t begin = k * grain;
      try {
        function(context, begin, begin + std::min(grain, n - begin));
      } catch (...) {
        next.store(chunks, std::memory_order_relaxed);
        const std::lock_guard lock(error_mutex);
        if (error && error_chunk < k) continue;
        error = std::current_exception();
        error_chunk = k;
      }
    }
  }
};

// Workers wait for a job; several callers may submit at once, each helps with its own job until it
// is done. A pool may be resized at any time: workers leave between jobs.
class Pool {
 public:
  // Fewer workers than asked for, if the system has no more threads: results do not depend on it.
  void resize(int workers) {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      ++news_;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    stop_ = false;
    // Who looks out for work takes a core from whoever has it.
    watchful_ = workers < available_cores();
    threads_.reserve(static_cast<size_t>(workers));
    try {
      for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      return;
    }
  }

  void run(Job& job) {
    int sleeping;
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(&job);
      sleeping = sleeping_;
      ++news_;
    }
    if (sleeping > 0) job.chunks > 2 ? wake_.notify_all() : wake_.notify_one();
    job.run();
    {
      const std::lock_guard lock(mutex_);
      std::erase(queue_, &job);
    }
    const auto done = [&] { return job.active.load(std::memory_order_acquire) == 0; };
    if (done() || (watchful_ && watch(done))) return;
    std::unique_lock lock(mutex_);
    done_.wait(lock, done);
  }

 private:
  void work() {
    const InsideParallel inside;
    const FlushDenormals flush;
    std::unique_lock lock(mutex_);
    while (!stop_) {
      if (queue_.empty()) {
        wait_for_news(lock);
        continue;
      }
      Job* job = queue_.front();
      job->active.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      job->run();
      lock.lock();
      std::erase(queue_, job);
      // The last touch: the job may be gone after it.
      if (job->active.fetch_sub(1, std::memory_order_release) == 1) done_.notify_all();
    }
  }

  void wait_for_news(std::unique_lock<std::mutex>& lock) {
    const uint64_t known = news_;
    const auto changed = [&] { return news_.load(std::memory_order_relaxed) != known; };
    if (watchful_) {
      lock.unlock();
      watch(changed);
      lock.lock();
    }
    ++sleeping_;
    wake_.wait(lock, changed);
    --sleeping_;
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<Job*> queue_;
  std::atomic<uint64_t> news_{0};  // counts what workers should look at; raised under mutex_
  int sleeping_ = 0;               // workers that must be woken; guarded by mutex_
  std::vector<std::thread> threads_;
  bool stop_ = false;
  std::atomic<bool> watchful_{false};  // there is a core for every thread
};

struct State {
  std::atomic<int> count;
  std::mutex mutex{};  // of the two below, while the pool is started or resized
  bool started = false;
  Pool pool{};
  explicit State(int threads) : count(threads) {}
};

// Never destroyed: loops may run until the process ends, and exit must not wait for them.
std::atomic<State*> current_state{nullptr};

State& state() {
  static const bool made = [] {
    current_state = new State(default_threads());
    // The workers do not exist in a forked child, and locks may be held for ever: it starts anew.
    pthread_atfork(nullptr, nullptr,
                   [] { current_state = new State(current_state.load()->count); });
    return true;
  }();
  (void)made;
  return *current_state.load(std::memory_order_acquire);
}

}  // namespace

int num_threads() { return state().count.load(std::memory_order_relaxed); }

void set_num_threads(int count) {
  check<ValueError>(count >= 1, "set_num_threads", "count must be >= 1, got ", count);
  check<StateError>(!inside_parallel, "set_num_threads", "called from inside parallel_for");
  State& s = state();
  const std::lock_guard lock(s.mutex);
  if (count == s.count.exchange(count)) return;
  if (s.started) s.pool.resize(count - 1);
}

void detail::parallel_for(int64_t n, int64_t grain, ChunkFunction function, void* context) {
  if (n <= 0) return;
  const FlushDenormals flush;
  grain = std::clamp<int64_t>(grain, 1, n);
  const int64_t chunks = (n - 1) / grain + 1;
  State& s = state();
  if (chunks == 1 || inside_parallel || s.count == 1) {
    for (int64_t k = 0; k < chunks; ++k)
      function(context, k * grain, k * grain + std::min(grain, n - k * grain));
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
  {
    const InsideParallel inside;
    s.pool.run(job);
  }
  if (job.error) std::rethrow_exception(job.error);
}

}  // namespace cytograd
