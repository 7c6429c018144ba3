#include "inference/plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace cytograd::inference {
namespace {

constexpr int64_t kLine = 16;  // elements; keeps buffers on cache lines

// Convolutions and affine maps read and write slices of channels; a concatenation copies them.
bool knows_slices(const Step& step) {
  return step.kind == Kind::conv || step.kind == Kind::affine || step.kind == Kind::concat;
}

class Planner {
 public:
  explicit Planner(Graph& graph) : graph_(graph) { plan_.places.resize(graph.values.size()); }

  Plan run() {
    mark_packed();
    place(0, {kInput, 0, channels(0)});
    if (graph_.output != 0) place(graph_.output, {kResult, 0, channels(graph_.output)});
    for (size_t i = graph_.steps.size(); i-- > 0;)
      if (graph_.steps[i].kind == Kind::concat) place_parts(graph_.steps[i]);
    for (size_t i = 0; i < graph_.steps.size(); ++i) place_result(i);
    share_memory();
    return std::move(plan_);
  }

 private:
  struct Buffer {
    int64_t size;
    bool slices = false;                                          // holds a concatenation
    size_t first = std::numeric_limits<size_t>::max(), last = 0;  // steps
  };

  int64_t channels(int value) const { return shape(value).back(); }
  const Shape& shape(int value) const { return graph_.values[static_cast<size_t>(value)].shape; }
  Place& where(int value) { return plan_.places[static_cast<size_t>(value)]; }
  bool placed(int value) { return where(value).buffer != -1; }
  void place(int value, const Place& p) { where(value) = p; }

  void mark_packed() {
    const auto pack = [this](int value) {
      if (value >= 0) graph_.values[static_cast<size_t>(value)].packed = true;
    };
    pack(0);
    pack(graph_.output);
    for (const Step& step : graph_.steps) {
      pack(step.residual);
      if (step.residual >= 0) pack(step.output);
      if (knows_slices(step)) continue;
      for (const int value : step.inputs) pack(value);
      pack(step.output);
    }
  }

  int new_buffer(int value) {
    buffers_.push_back({(shape(value).numel() + kLine - 1) / kLine * kLine});
    return static_cast<int>(buffers_.size()) - 1;
  }

  void place_parts(const Step& concat) {
    if (!placed(concat.output))
      place(concat.output, {new_buffer(concat.output), 0, channels(concat.output)});
    const Place whole = where(concat.output);
    if (whole.buffer >= 0) buffers_[static_cast<size_t>(whole.buffer)].slices = true;
    int64_t offset = whole.offset;
    for (const int part : concat.inputs) {
      const int maker = graph_.producer(part);
      const bool fits = !graph_.values[static_cast<size_t>(part)].packed && !placed(part) &&
                        maker >= 0 && knows_slices(graph_.steps[static_cast<size_t>(maker)]);
      if (fits) place(part, {whole.buffer, offset, whole.pitch});
      offset += channels(part);
    }
  }

  bool read_after(int value, size_t step) const {
    if (value == graph_.output) return true;
    for (size_t i = step + 1; i < graph_.steps.size(); ++i) {
      const Step& s = graph_.steps[i];
      if (s.residual == value || std::count(s.inputs.begin(), s.inputs.end(), value)) return true;
    }
    return false;
  }

  void place_result(size_t i) {
    const Step& step = graph_.steps[i];
    if (placed(step.output)) return;
    if (step.residual >= 0 && step.inputs[0] != step.residual && !read_after(step.residual, i)) {
      const Place& p = where(step.residual);
      if (p.buffer >= 0 && !buffers_[static_cast<size_t>(p.buffer)].slices)
        return place(step.output, p);
    }
    place(step.output, {new_buffer(step.output), 0, channels(step.output)});
  }

  void touch(int value, size_t step) {
    if (value < 0 || where(value).buffer < 0) return;
    Buffer& b = buffers_[static_cast<size_t>(where(value).buffer)];
    b.first = std::min(b.first, step);
    b.last = std::max(b.last, step);
  }

  // Largest first, each at the lowest address that is free for its time.
  void share_memory() {
    for (size_t i = 0; i < graph_.steps.size(); ++i) {
      const Step& step = graph_.steps[i];
      touch(step.output, i);
      touch(step.residual, i);
      for (const int value : step.inputs) touch(value, i);
    }
    std::vector<size_t> order(buffers_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return buffers_[a].size > buffers_[b].size; });
    plan_.buffers.assign(buffers_.size(), 0);
    std::vector<size_t> done;
    for (const size_t b : order) {
      plan_.buffers[b] = lowest_free(b, done);
      plan_.size = std::max(plan_.size, plan_.buffers[b] + buffers_[b].size);
      done.push_back(b);
    }
  }

  int64_t lowest_free(size_t b, const std::vector<size_t>& done) const {
    std::vector<std::pair<int64_t, int64_t>> taken;  // begin, end
    for (const size_t other : done)
      if (buffers_[other].first <= buffers_[b].last && buffers_[b].first <= buffers_[other].last)
        taken.emplace_back(plan_.buffers[other], plan_.buffers[other] + buffers_[other].size);
    std::sort(taken.begin(), taken.end());
    int64_t at = 0;
    for (const auto& [begin, end] : taken) {
      if (begin - at >= buffers_[b].size) break;
      at = std::max(at, end);
    }
    return at;
  }

  Graph& graph_;
  Plan plan_;
  std::vector<Buffer> buffers_;
};

}  // namespace

Plan plan_memory(Graph& graph) { return Planner(graph).run(); }

}  // namespace cytograd::inference
