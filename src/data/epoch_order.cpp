#include <algorithm>
#include <map>
#include <utility>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/data/loader.h"

/// @file
/// Which samples an epoch has, in which order.

namespace cytograd {
namespace {

bool over_domains(Order order) {
  return order == Order::domains || order == Order::domains_balanced;
}

const Sample& sample_of(const Dataset& dataset, int64_t i) {
  return dataset.samples[static_cast<size_t>(i)];
}

// Samples by domain, in the order of the data set; domains without any are not there.
std::map<int64_t, std::vector<int64_t>> by_domain(const Dataset& dataset,
                                                  const std::vector<int64_t>& indices) {
  std::map<int64_t, std::vector<int64_t>> out;
  for (const int64_t i : indices) out[sample_of(dataset, i).domain].push_back(i);
  return out;
}

// Draws with replacement from `indices`.
class Urn {
 public:
  // Balanced: with weight 1 / (n_dc * C_d), n_dc the samples of the class in the domain and C_d the
  // classes that the domain has.
  Urn(const Dataset& dataset, const std::vector<int64_t>& indices, bool balanced)
      : indices_(indices) {
    if (!balanced) return;
    std::map<std::pair<int64_t, int64_t>, int64_t> count;
    std::map<int64_t, int64_t> classes;
    const auto key = [&](int64_t i) {
      const Sample& s = sample_of(dataset, i);
      return std::pair(s.domain, s.label);
    };
    for (const int64_t i : indices)
      if (count[key(i)]++ == 0) ++classes[key(i).first];
    double sum = 0;
    for (const int64_t i : indices) {
      sum += 1 / (static_cast<double>(count[key(i)]) * static_cast<double>(classes[key(i).first]));
      cumulative_.push_back(sum);
    }
  }

  int64_t draw(Rng& rng) const {
    if (cumulative_.empty())
      return indices_[static_cast<size_t>(rng.below(static_cast<int64_t>(indices_.size())))];
    const double at = rng.uniform() * cumulative_.back();
    const auto it = std::upper_bound(cumulative_.begin(), cumulative_.end(), at);
    return indices_[std::min(static_cast<size_t>(it - cumulative_.begin()), indices_.size() - 1)];
  }

 private:
  const std::vector<int64_t>& indices_;
  std::vector<double> cumulative_;  // empty: all weigh the same
};

// Each domain has a stream of its own: what is drawn from one does not depend on the others.
std::vector<int64_t> draw_domains(const Dataset& dataset, const std::vector<int64_t>& indices,
                                  const LoaderOptions& o, int64_t epoch) {
  const auto domains = by_domain(dataset, indices);
  const EpochSize size = epoch_size(dataset, indices, o);
  std::vector<int64_t> out(static_cast<size_t>(size.samples));
  int64_t block = 0;
  for (const auto& [domain, samples] : domains) {
    const Urn urn(dataset, samples, o.order == Order::domains_balanced);
    Rng rng(stream_key(o.seed, "domain", static_cast<uint64_t>(domain)), "draw",
            static_cast<uint64_t>(epoch));
    for (int64_t first = block * o.batch_size; first < size.samples; first += size.batch)
      for (int64_t k = 0; k < o.batch_size; ++k)
        out[static_cast<size_t>(first + k)] = urn.draw(rng);
    ++block;
  }
  return out;
}

}  // namespace

EpochSize epoch_size(const Dataset& dataset, const std::vector<int64_t>& indices,
                     const LoaderOptions& o) {
  const bool drawn = o.order != Order::sequential && o.order != Order::shuffle;
  check<ValueError>(o.steps >= 0 && (o.steps == 0 || drawn), "loader",
                    "steps expects 0 without replacement and 0 or more with it, got ", o.steps);
  const auto n = static_cast<int64_t>(indices.size());
  if (over_domains(o.order)) {
    const auto domains = by_domain(dataset, indices);
    int64_t largest = 0;
    for (const auto& [domain, samples] : domains)
      largest = std::max(largest, static_cast<int64_t>(samples.size()));
    const int64_t batch = o.batch_size * static_cast<int64_t>(domains.size());
    const int64_t steps = o.steps > 0 ? o.steps : (largest + o.batch_size - 1) / o.batch_size;
    return {steps * batch, batch};
  }
  if (o.steps > 0) return {o.steps * o.batch_size, o.batch_size};
  return {o.drop_last ? n / o.batch_size * o.batch_size : n, o.batch_size};
}

std::vector<int64_t> epoch_order(const Dataset& dataset, const std::vector<int64_t>& indices,
                                 const LoaderOptions& o, int64_t epoch) {
  if (over_domains(o.order)) return draw_domains(dataset, indices, o, epoch);
  std::vector<int64_t> out = indices;
  Rng rng(o.seed, "shuffle", static_cast<uint64_t>(epoch));
  if (o.order == Order::shuffle) rng.shuffle(out);
  if (o.order != Order::replacement && o.order != Order::balanced) return out;
  const Urn urn(dataset, indices, o.order == Order::balanced);
  out.resize(o.steps > 0 ? static_cast<size_t>(o.steps * o.batch_size) : indices.size());
  for (int64_t& i : out) i = urn.draw(rng);
  return out;
}

}  // namespace cytograd
