#include "cytograd/optim/gradient_buckets.h"

#include <algorithm>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/autograd/record.h"
#include "cytograd/core/error.h"

namespace cytograd::optim {
namespace {

constexpr const char* op = "gradient_buckets";

// Where a gradient lies.
struct Leaf {
  Tensor parameter, place;
  size_t bucket = 0;
  int64_t offset = 0;
};

struct Bucket {
  Tensor flat;
  std::vector<std::string> names;
  Dtype dtype;
  Device device;
  int64_t numel = 0;    // with the gaps
  int64_t missing = 0;  // gradients still to come in this pass
};

int64_t rounded(int64_t numel, Dtype dtype) {
  const auto step = static_cast<int64_t>(64 / size_of(dtype));
  return (numel + step - 1) / step * step;
}

}  // namespace

struct GradientBuckets::State final : autograd::LeafGroup {
  std::vector<Leaf> leaves;
  std::vector<Bucket> buckets;
  std::function<void(size_t, const Tensor&)> ready;
  bool active = true;
  size_t next = 0;  // the bucket that is ready next

  void place(const std::string& name, const Tensor& parameter, size_t bytes) {
    check<StateError>(!parameter.node()->home, op, "the parameter ", escape_control(name),
                      " is in other buckets");
    const int64_t numel = rounded(parameter.numel(), parameter.dtype());
    // The newest of its kind, if there is room.
    const auto fits = [&](const Bucket& b) {
      return b.dtype == parameter.dtype() && b.device == parameter.device();
    };
    auto at = std::find_if(buckets.rbegin(), buckets.rend(), fits);
    if (at == buckets.rend() ||
        static_cast<size_t>(at->numel + numel) * size_of(at->dtype) > bytes) {
      buckets.push_back({{}, {}, parameter.dtype(), parameter.device()});
      at = buckets.rbegin();
    }
    leaves.push_back({parameter, {}, static_cast<size_t>(buckets.rend() - at) - 1, at->numel});
    at->names.push_back(name);
    at->numel += numel;
  }

  void make() {
    for (Bucket& b : buckets) b.flat = Tensor::zeros({b.numel}, b.dtype, b.device);
    for (size_t i = 0; i < leaves.size(); ++i) {
      Leaf& leaf = leaves[i];
      leaf.place = buckets[leaf.bucket].flat.as_strided(leaf.parameter.shape(),
                                                        leaf.parameter.strides(), leaf.offset);
      autograd::set_home(*leaf.parameter.node(), std::make_unique<autograd::LeafHome>(
                                                     autograd::LeafHome{this, i, leaf.place}));
    }
  }

  ~State() override {
    for (const Leaf& leaf : leaves) {
      const auto& node = leaf.parameter.node();  // none if it is no longer trained
      if (node && node->home && node->home->group == this) autograd::set_home(*node, nullptr);
    }
  }

  void begin_pass(const std::vector<size_t>& reached) override {
    if (!active) return;
    next = 0;
    for (Bucket& b : buckets) b.missing = 0;
    std::vector<bool> comes(leaves.size());
    for (const size_t i : reached) {
      comes[i] = true;
      ++buckets[leaves[i].bucket].missing;
    }
    for (size_t i = 0; i < leaves.size(); ++i)
      if (!comes[i] && !leaves[i].parameter.grad().defined()) leaves[i].place.fill_(0);
    announce();
  }

  void complete(size_t leaf) override {
    if (!active) return;
    --buckets[leaves[leaf].bucket].missing;
    announce();
  }

  void announce() {
    while (next < buckets.size() && buckets[next].missing == 0) {
      const size_t bucket = next++;
      if (ready) ready(bucket, buckets[bucket].flat);
    }
  }
};

GradientBuckets::GradientBuckets(const NamedTensors& parameters, size_t bytes)
    : state_(std::make_unique<State>()) {
  const NoGrad no_grad;
  for (auto at = parameters.rbegin(); at != parameters.rend(); ++at) {
    const auto& [name, parameter] = *at;
    if (!parameter.requires_grad()) continue;
    check<ValueError>(parameter.is_contiguous(), op, "the parameter ", escape_control(name),
                      " is not contiguous");
    state_->place(name, parameter, bytes);
  }
  state_->make();
}
GradientBuckets::~GradientBuckets() = default;

size_t GradientBuckets::size() const { return state_->buckets.size(); }
const Tensor& GradientBuckets::flat(size_t bucket) const { return state_->buckets.at(bucket).flat; }
const std::vector<std::string>& GradientBuckets::names(size_t bucket) const {
  return state_->buckets.at(bucket).names;
}
void GradientBuckets::on_ready(std::function<void(size_t bucket, const Tensor& flat)> ready) {
  state_->ready = std::move(ready);
}
void GradientBuckets::set_active(bool active) { state_->active = active; }

}  // namespace cytograd::optim
