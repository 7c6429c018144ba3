#include "multimodal/rna_stage.h"

#include <algorithm>
#include <limits>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/random.h"
#include "cytograd/core/random_scope.h"
#include "cytograd/ops/index.h"

namespace cytograd::multimodal {
namespace {

constexpr int64_t monitor_batch = 256;

}  // namespace

Tensor rows_of(const Tensor& matrix, const std::vector<int64_t>& rows) {
  return index_select(matrix, 0, Tensor::from(rows));
}

RnaMonitor::RnaMonitor(const RnaSource& source, const TrainingOptions& options,
                       std::vector<int64_t> rows, Device device)
    : source_(source),
      options_(options),
      rows_(spread(rows, options.monitor_cells)),
      device_(device) {}

Values RnaMonitor::measure(const models::RnaVae& model) {
  const NoGrad no_grad;
  LatentStats latents;
  SpreadSum spread;
  double error_mu = 0, error_z = 0, cosine_mu = 0, cosine_z = 0;
  const auto n = static_cast<double>(rows_.size());
  const auto genes = static_cast<double>(source_.genes.size());
  const bool referenced = source_.reference.defined();
  for (size_t at = 0; at < rows_.size(); at += monitor_batch) {
    const size_t end = std::min(rows_.size(), at + monitor_batch);
    const std::vector<int64_t> rows(rows_.begin() + static_cast<int64_t>(at),
                                    rows_.begin() + static_cast<int64_t>(end));
    const auto share = static_cast<double>(rows.size());
    const Tensor host = source_.batch(rows), x = host.to(device_);
    if (spread_ < 0) spread.add(host);
    const models::Posterior posterior = model.encode(x);
    // The same noise after every epoch.
    const RandomScope scope(stream_key(options_.seed, "monitor rna"), at);
    const Tensor z = models::sample(posterior);
    latents.add(posterior);
    error_mu += squared_error(model.decode(posterior.mu), x).item();
    error_z += squared_error(model.decode(z), x).item();
    if (!referenced) continue;
    const Tensor reference = rows_of(source_.reference, rows).to(device_);
    cosine_mu += share * (1 - losses::cosine_distance(posterior.mu, reference).item());
    cosine_z += share * (1 - losses::cosine_distance(z, reference).item());
  }
  if (spread_ < 0) spread_ = spread.total();
  const double absent = std::numeric_limits<double>::quiet_NaN();
  const double mse = error_mu / (n * genes), weight = options_.rna_reduction == "sum" ? genes : 1;
  double loss = options_.lambda * weight * mse + options_.rna_beta * latents.kl();
  if (referenced) loss += options_.phi * (1 - cosine_mu / n);
  return {{"val_loss", loss},
          {"val_mse", mse},
          {"val_kl", latents.kl()},
          {"cosine_mu", referenced ? cosine_mu / n : absent},
          {"cosine_z", referenced ? cosine_z / n : absent},
          {"active_units", static_cast<double>(latents.active_units())},
          {"mu_norm", latents.mean_length()},
          {"sigma", latents.mean_deviation()},
          {"r2_mu", r2_of(error_mu, spread_)},
          {"r2_z", r2_of(error_z, spread_)}};
}

RnaStage::RnaStage(StageSetup setup, models::RnaVae& model, const RnaSource& source,
                   const TrainingOptions& options)
    : Stage(std::move(setup), model),
      model_(model),
      source_(source),
      options_(options),
      train_(source.rows("train")),
      monitor_(source, options, source.rows("val").empty() ? train_ : source.rows("val"),
               this->setup().device) {}

Batches RnaStage::batches(int64_t epoch) const {
  return shuffled_batches(train_, setup().options.batch, setup().seed, epoch);
}

StageBatch RnaStage::load(const std::vector<int64_t>& rows) const {
  StageBatch out;
  out.x = source_.batch(rows);
  if (source_.reference.defined()) out.reference = rows_of(source_.reference, rows);
  return out;
}

StageLoss RnaStage::loss(const StageBatch& batch, double beta, int64_t) {
  const Tensor x = batch.x.to(setup().device);
  const models::RnaVae::Output output = model_.forward(x);
  const Tensor mse = losses::mean_squared_error(output.recon, x);
  const Tensor kl = losses::gaussian_kl(output.posterior.mu, output.posterior.log_var);
  const double genes =
      options_.rna_reduction == "sum" ? static_cast<double>(source_.genes.size()) : 1;
  StageLoss out;
  out.total = mse * (options_.lambda * genes) + kl * (options_.rna_beta * beta);
  out.terms = {{"mse", mse.item()}, {"kl", kl.item()}};
  if (batch.reference.defined()) {
    const Tensor& latent = options_.cosine_on == "mu" ? output.posterior.mu : output.z;
    const Tensor cosine = losses::cosine_distance(latent, batch.reference.to(setup().device));
    out.total = out.total + cosine * options_.phi;
    out.terms.emplace_back("cosine", cosine.item());
  }
  return out;
}

}  // namespace cytograd::multimodal
