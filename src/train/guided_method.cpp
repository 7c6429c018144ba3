#include "train/guided_method.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/io/text.h"
#include "cytograd/losses/guide.h"
#include "cytograd/losses/triplet.h"
#include "cytograd/train/guide_update.h"

namespace cytograd {
namespace {

Tensor whole(int64_t value) { return Tensor::from(std::vector<int64_t>{value}); }

// Is there a sample with another one of its class, and one of another class?
bool has_anchor(const Tensor& labels) {
  std::vector<int64_t> y = labels.to_vector<int64_t>();
  std::sort(y.begin(), y.end());
  return !y.empty() && y.front() != y.back() && std::adjacent_find(y.begin(), y.end()) != y.end();
}

// The phases of one epoch: in the plane of the guide, or with the method's own loss.
class GuidedMethod final : public Method {
 public:
  GuidedMethod(const MethodContext& context, std::unique_ptr<Method> head)
      : config_(context.config), head_(std::move(head)) {
    growth_ = growth_of(config_);
    if (!config_.guide.empty()) {
      const MatchedGuide matched = match_guide(find_guide(config_.guide), context.class_names);
      points_ = matched.points();
      guide_ = matched.tensor(Dtype::float64);
    }
    for (const auto& domains : context.counts) {
      int64_t n = 0;
      for (const int64_t count : domains) n += count;
      present_.push_back(n > 0);
    }
    if (config_.method == "guide-umap") {
      update_ = guide_update_of(config_);
      // A map between the plane and the embedding needs both axes.
      std::vector<Point2> present;
      for (size_t c = 0; c < present_.size(); ++c)
        if (present_[c]) present.push_back(points_[c]);
      unit_box(present);
    }
    for (const std::string& text : config_.add_loss) extra_.push_back(parse_term(text));
    e_ = guide_;
  }

  void begin_epoch(int64_t epoch) override {
    if (epoch != epoch_) tried_ = used_ = 0;
    drift_ = error_ = step_ = unknown;
    epoch_ = epoch;
    n_ = grows(config_) ? growth_.active(epoch) : growth_.longest;
    if (config_.method == "guide-umap") e_ = padded(e_, epoch < guide_epochs ? 2 : n_);
  }
  int64_t active() const override { return n_; }

  std::vector<LossTerm> loss(const Batch& batch, const ModelOutput& output) override {
    const Tensor p = slice(output.embeddings, 1, 0, n_);
    if (head_ && !in_plane()) return head_->loss(batch, output);
    std::vector<LossTerm> out = {term(in_plane() ? "guide2d" : config_.method, p, batch.labels, 1)};
    if (!in_plane() || config_.method == "guide2d")
      for (const auto& [name, weight] : extra_) out.push_back(term(name, p, batch.labels, weight));
    if (config_.norm_weight > 0)
      out.push_back(
          LossTerm{"norm", losses::norm_term(p, config_.norm_power), config_.norm_weight});
    return out;
  }

  std::vector<std::string> terms() const override {
    std::vector<std::string> out;
    const auto add = [&out](const std::string& name) {
      if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
    };
    if (starts_in_plane()) add("guide2d");
    add(config_.method);
    for (const auto& [name, weight] : extra_) add(name);
    if (config_.norm_weight > 0) add("norm");
    return out;
  }

  bool head_is_trained() const override { return head_ && !in_plane(); }
  bool wants_embeddings() const override {
    return (update_ && !in_plane()) || config_.center_source == "epoch";
  }
  void end_epoch(const LabelledRows& rows) override {
    if (tried_ > 0 && used_ == 0)
      throw StateError("no valid triplet in epoch " + std::to_string(epoch_ + 1) +
                       "; increase --batch or draw classes more evenly with --order balanced");
    if (config_.center_source == "epoch" && rows.size() > 0) centers_ = class_means(rows);
    if (!update_ || in_plane()) return;
    const GuideStep step = update_({config_, rows, points_, e_,
                                    stream_key(static_cast<uint64_t>(config_.seed), "guide update",
                                               static_cast<uint64_t>(epoch_)),
                                    epoch_});
    const Tensor moved = low_pass(e_, step.u, config_.ema_keep, present_);
    drift_ = step.drift;
    error_ = mean_distance(step.u, class_means(rows), present_);
    step_ = mean_distance(moved, e_, present_);
    e_ = moved;
  }
  std::vector<std::pair<std::string, double>> monitors() const override {
    if (!update_) return {};
    return {{"guide_drift", drift_}, {"guide_error", error_}, {"guide_step", step_}};
  }

  TensorMap state() const override {
    TensorMap out;
    out["n"] = whole(n_);
    out["grow_factor"] = whole(growth_.factor);
    out["epoch"] = whole(epoch_);
    out["triplets"] = Tensor::from(std::vector<int64_t>{tried_, used_});
    if (guide_.defined()) out["guide"] = guide_;
    if (e_.defined()) out["e"] = e_;
    if (centers_.defined()) out["centers"] = centers_;
    return out;
  }
  void load_state(const TensorMap& state) override {
    const auto number = [&](const char* name) {
      const auto found = state.find(name);
      check<StateError>(found != state.end(), "method", "the checkpoint lacks method/", name);
      return found->second;
    };
    const auto factor = static_cast<int64_t>(number("grow_factor").item());
    const auto n = static_cast<int64_t>(number("n").item());
    check<StateError>(factor == growth_.factor && n <= growth_.longest, "method",
                      "the checkpoint grows by ", factor, " and has ", n,
                      " components, the settings say ", growth_.factor, " and at most ",
                      growth_.longest);
    n_ = n;
    epoch_ = static_cast<int64_t>(number("epoch").item());
    const auto triplets = number("triplets").to_vector<int64_t>();
    tried_ = triplets.at(0);
    used_ = triplets.at(1);
    if (const auto e = state.find("e"); e != state.end()) e_ = e->second;
    if (const auto c = state.find("centers"); c != state.end()) centers_ = c->second;
  }

 private:
  using Weighted = std::pair<std::string, double>;

  // Methods with a guide and more than its two components begin in its plane.
  bool starts_in_plane() const {
    if (config_.method == "guide2d" || config_.method == "guide-umap") return true;
    return grows(config_);
  }
  bool in_plane() const {
    return config_.method == "guide2d" || (starts_in_plane() && epoch_ < guide_epochs);
  }

  static Weighted parse_term(const std::string& text) {
    const size_t equal = text.find('=');
    const auto weight = equal == std::string::npos ? std::optional<double>(1)
                                                   : parse_double(text.substr(equal + 1));
    const std::string name = text.substr(0, equal);
    const bool known =
        name == "guide2d" || name == "distance" || name == "triplet" || name == "center-triplet";
    if (!known || !weight || !(*weight >= 0) || !std::isfinite(*weight))
      throw ConfigError(Fault{"cfg", "", "", "method.add_loss \"" + text + "\"",
                              "guide2d, distance, triplet or center-triplet, =WEIGHT", ""});
    return {name, *weight};
  }

  Tensor constant(const Tensor& value, const Tensor& like) const {
    return value.to(like.dtype()).to(like.device());
  }
  const Tensor& guide(const std::string& name) const {
    if (!guide_.defined())
      throw ConfigError(Fault{"cfg", "", "", "the loss " + name + " without method.guide",
                              "--guide with a file or the name of a guide", ""});
    return guide_;
  }

  LossTerm term(const std::string& name, const Tensor& p, const Tensor& labels, double weight) {
    const auto reduction = config_.reduction == "distance" ? losses::GuideReduction::distance
                                                           : losses::GuideReduction::elementwise;
    if (name == "guide2d")
      return {name, losses::guide_distance(p, labels, constant(guide(name), p), reduction), weight};
    if (name == "guide-umap")
      return {name, losses::guide_distance(p, labels, constant(e_, p), reduction), weight};
    if (name == "distance")
      return {name, losses::distance_loss(p, labels, losses::guide_table(constant(guide(name), p))),
              weight};
    losses::TripletLoss triplets;
    if (name == "triplet") {
      triplets =
          losses::triplet_loss(p, labels, {losses::mining_of(config_.mining), config_.margin});
    } else {
      const auto anchor = config_.center_anchor == "center" ? losses::CenterAnchor::center
                                                            : losses::CenterAnchor::sample;
      Tensor centers;
      if (config_.center_source == "epoch" && centers_.defined())
        centers = constant(padded(centers_, n_), p);
      triplets = losses::center_triplet_loss(p, labels, {anchor, config_.margin}, centers);
    }
    ++tried_;
    // Mined triplets may all be satisfied; only labels that allow none are a fault.
    used_ += (name == "triplet" && has_anchor(labels)) || triplets.count() > 0;
    return {name, triplets.value, weight};
  }

  // [C, m] with zeros up to n columns.
  static Tensor padded(const Tensor& x, int64_t n) {
    if (x.size(1) >= n) return x;
    return concat({x, Tensor::zeros({x.size(0), n - x.size(1)}, x.dtype())}, 1);
  }

  TrainConfig config_;
  std::unique_ptr<Method> head_;
  Growth growth_;
  std::vector<Point2> points_;
  Tensor guide_;    // [C, 2] float64, undefined without one
  Tensor e_;        // [C, n] float64: the guide in the embedding
  Tensor centers_;  // [C, n] float64: class means after the epoch before
  GuideUpdate update_;
  std::vector<bool> present_;
  std::vector<Weighted> extra_;
  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  // Of this epoch's update: drift of the map, distance of u to the class means, of e to e before.
  double drift_ = unknown, error_ = unknown, step_ = unknown;
  int64_t epoch_ = 0, n_ = 2;
  int64_t tried_ = 0, used_ = 0;  // batches of this epoch that were mined, and have valid anchors
};

}  // namespace

std::unique_ptr<Method> make_guided(const MethodContext& context, std::unique_ptr<Method> head) {
  return std::make_unique<GuidedMethod>(context, std::move(head));
}

Tensor guide_anchors(const TrainConfig& config, const TensorMap& method_state) {
  const char* name = config.method == "guide2d"      ? "guide"
                     : config.method == "guide-umap" ? "e"
                                                     : "";
  const auto found = method_state.find(name);
  return found == method_state.end() ? Tensor{} : found->second;
}

}  // namespace cytograd
