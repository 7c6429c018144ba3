#include "multimodal/image_stage.h"

#include <algorithm>
#include <cmath>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/random.h"
#include "cytograd/core/random_scope.h"
#include "multimodal/rna_stage.h"

namespace cytograd::multimodal {
namespace {

constexpr size_t monitor_batch = 64;

bool has(const std::vector<int64_t>& labels, int64_t label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

ImageBatch on(const ImageBatch& batch, Device device) {
  return {batch.h.to(device), batch.image.to(device), batch.mask.to(device)};
}

// Sums of squares of what a decoder made.
struct DecoderErrors {
  double features = 0, image = 0;
  void add(const models::ImageVae& model, const Tensor& z, const ImageBatch& batch) {
    const Tensor decoded = model.decode_features(z);
    features += squared_error(decoded, batch.h).item();
    image += squared_error(model.decode_image(decoded), batch.image, batch.mask).item();
  }
};

losses::AlignmentDivergence divergence_of(const std::string& name) {
  if (name == "img_rna") return losses::AlignmentDivergence::features_from_target;
  if (name == "rna_img") return losses::AlignmentDivergence::target_from_features;
  return losses::AlignmentDivergence::symmetric;
}

bool aligns_moments(const TrainingOptions& options) {
  return options.align == "moments" || options.align == "moments_unbiased";
}

}  // namespace

losses::ImageReduction image_reduction(const std::string& name) {
  if (name == "mean") return losses::ImageReduction::mean;
  if (name == "masked_mean") return losses::ImageReduction::masked_mean;
  return losses::ImageReduction::sum;
}

ImageMonitor::ImageMonitor(const ImageSource& source, const TrainingOptions& options,
                           std::vector<int64_t> rows, Device device)
    : source_(source),
      options_(options),
      rows_(spread(rows, options.monitor_cells)),
      device_(device) {}

Values ImageMonitor::measure(const models::ImageVae& model) {
  const NoGrad no_grad;
  LatentStats latents;
  SpreadSum feature_spread, image_spread;
  DecoderErrors mu, sampled;
  double mask_sum = 0, empty = 0;
  for (size_t at = 0; at < rows_.size(); at += monitor_batch) {
    const size_t end = std::min(rows_.size(), at + monitor_batch);
    const std::vector<int64_t> rows(rows_.begin() + static_cast<int64_t>(at),
                                    rows_.begin() + static_cast<int64_t>(end));
    const ImageBatch host = source_.batch(rows), batch = on(host, device_);
    const Tensor weight = square(host.mask);
    for (const double w : sum(weight, {1, 2, 3}).to_vector<double>()) {
      mask_sum += w;
      empty += w > 0 ? 0 : 1;
    }
    if (feature_spread_ < 0) {
      feature_spread.add(host.h);
      image_spread.add(host.image, weight, 3);
    }
    const models::Posterior posterior = model.encode(batch.h);
    latents.add(posterior);
    mu.add(model, posterior.mu, batch);
    // The same noise after every epoch.
    const RandomScope scope(stream_key(options_.seed, "monitor image"), at);
    sampled.add(model, models::sample(posterior), batch);
  }
  if (feature_spread_ < 0) {
    feature_spread_ = feature_spread.total();
    image_spread_ = image_spread.total();
  }
  const auto n = static_cast<double>(rows_.size());
  const double feature_mse = mu.features / (n * static_cast<double>(14 * 14 * source_.channels));
  const double masked = mask_sum > 0 ? mu.image / (3 * mask_sum) : 0;
  const double image = options_.image_reduction == "masked_mean" ? masked
                       : options_.image_reduction == "mean"      ? mu.image / (n * 128 * 128 * 3)
                                                                 : mu.image / n;
  return {{"val_loss", options_.alpha * feature_mse + options_.gamma * image +
                           options_.image_beta * latents.kl()},
          {"val_feature_mse", feature_mse},
          {"val_image", image},
          {"val_kl", latents.kl()},
          {"active_units", static_cast<double>(latents.active_units())},
          {"mu_norm", latents.mean_length()},
          {"sigma", latents.mean_deviation()},
          {"feature_r2_mu", r2_of(mu.features, feature_spread_)},
          {"feature_r2_z", r2_of(sampled.features, feature_spread_)},
          {"r2_mu", r2_of(mu.image, image_spread_)},
          {"r2_z", r2_of(sampled.image, image_spread_)},
          {"psnr", masked > 0 ? -10 * std::log10(masked) : std::nan("")},
          {"empty_masks", empty}};
}

ImageStage::ImageStage(StageSetup setup, models::ImageVae& model, const ImageSource& source,
                       const TrainingOptions& options, std::vector<AlignedPair> pairs)
    : Stage(std::move(setup), model),
      model_(model),
      source_(source),
      options_(options),
      pairs_(std::move(pairs)),
      train_(source.rows("train")),
      monitor_(source, options, source.rows("val").empty() ? train_ : source.rows("val"),
               this->setup().device) {
  for (AlignedPair& pair : pairs_) {
    auto& moments = pair.target.target;
    for (Tensor* t : {&moments.mean, &moments.covariance, &pair.rna.mu, &pair.rna.log_var})
      *t = t->detach().to(this->setup().device);
    std::vector<int64_t>& rows = groups_.emplace_back();
    for (const int64_t row : train_)
      if (has(pair.target.labels, source.labels[static_cast<size_t>(row)])) rows.push_back(row);
  }
}

Batches ImageStage::batches(int64_t epoch) const {
  const int64_t size = setup().options.batch;
  if (!options_.balanced || pairs_.empty())
    return shuffled_batches(train_, size, setup().seed, epoch);
  return balanced_batches(train_, groups_, options_.balanced_cells, size, setup().seed, epoch);
}

StageBatch ImageStage::load(const std::vector<int64_t>& rows) const {
  StageBatch out;
  out.image = source_.batch(rows);
  return out;
}

std::vector<std::string> ImageStage::part_names() const {
  std::vector<std::string> out;
  for (const AlignedPair& pair : pairs_) {
    if (aligns_moments(options_)) {
      out.push_back("mean_distance:" + pair.name);
      out.push_back("covariance_distance:" + pair.name);
    } else {
      out.push_back("mmd:" + pair.name);
    }
  }
  return out;
}

StageLoss ImageStage::loss(const StageBatch& host, double beta, int64_t step) {
  const ImageBatch batch = on(host.image, setup().device);
  const models::ImageVae::Output output = model_.forward(batch.h);
  const Tensor features = losses::mean_squared_error(output.features, batch.h);
  const Tensor image = losses::masked_image_error(output.image, batch.image, batch.mask,
                                                  image_reduction(options_.image_reduction));
  const Tensor kl = losses::gaussian_kl(output.posterior.mu, output.posterior.log_var);
  StageLoss out;
  out.total =
      features * options_.alpha + image * options_.gamma + kl * (options_.image_beta * beta);
  out.terms = {{"feature_mse", features.item()}, {"image", image.item()}, {"kl", kl.item()}};
  if (pairs_.empty()) return out;
  std::vector<int64_t> labels;
  for (const int64_t row : host.rows) labels.push_back(source_.labels[static_cast<size_t>(row)]);
  if (aligns_moments(options_))
    align_moments(output.z, labels, out);
  else
    align_mmd(output.z, labels, step, out);
  return out;
}

void ImageStage::align_moments(const Tensor& z, const std::vector<int64_t>& labels,
                               StageLoss& out) const {
  std::vector<losses::AlignedClass> classes;
  for (const AlignedPair& pair : pairs_) classes.push_back(pair.target);
  const losses::ClassAlignment found = losses::class_alignment(
      z, labels, classes, options_.min_per_class, divergence_of(options_.align_kl),
      options_.align == "moments_unbiased");
  out.total = out.total + found.value;
  out.terms.emplace_back("alignment", found.value.item());
  for (size_t j = 0; j < pairs_.size(); ++j) {
    out.parts.emplace_back("mean_distance:" + pairs_[j].name, found.mean_parts[j]);
    out.parts.emplace_back("covariance_distance:" + pairs_[j].name, found.covariance_parts[j]);
    if (std::isnan(found.mean_parts[j]) && std::isnan(found.covariance_parts[j]))
      out.skipped.push_back(pairs_[j].name);
  }
}

void ImageStage::align_mmd(const Tensor& z, const std::vector<int64_t>& labels, int64_t step,
                           StageLoss& out) const {
  double whole = 0;
  for (size_t j = 0; j < pairs_.size(); ++j) {
    const AlignedPair& pair = pairs_[j];
    std::vector<int64_t> rows, drawn;
    for (size_t i = 0; i < labels.size(); ++i)
      if (has(pair.target.labels, labels[i])) rows.push_back(static_cast<int64_t>(i));
    if (static_cast<int64_t>(rows.size()) < options_.min_per_class) {
      out.skipped.push_back(pair.name);
      continue;
    }
    for (int64_t i = 0; i < pair.rna.mu.size(0); ++i) drawn.push_back(i);
    Rng(setup().seed, "mmd", static_cast<uint64_t>(step), j).shuffle(drawn);
    drawn.resize(std::min(drawn.size(), static_cast<size_t>(options_.mmd_cells)));
    const Tensor index = Tensor::from(drawn).to(z.device());
    const Tensor rna = models::sample(
        {index_select(pair.rna.mu, 0, index), index_select(pair.rna.log_var, 0, index)});
    const Tensor value = losses::kernel_mmd(index_select(z, 0, Tensor::from(rows).to(z.device())),
                                            rna, options_.align == "mmd_unbiased");
    out.parts.emplace_back("mmd:" + pair.name, value.item());
    whole += pair.target.weight * out.parts.back().second;
    out.total = out.total + value * pair.target.weight;
  }
  out.terms.emplace_back("alignment", whole);
}

}  // namespace cytograd::multimodal
