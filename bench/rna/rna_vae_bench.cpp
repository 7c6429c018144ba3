// Times epochs of the RNA half of the multimodal beta-VAE: shuffled batches of 128 cells, float32,
// Adam.
//   bench_rna_vae CELLS GENES EPOCHS DENSITY [--processor]
// DENSITY: the share of the expression that is not zero. Prints one JSON object: the seconds of
// each epoch after an untimed one, of the wall clock or of the processor, and the mean loss of
// each. bench/peers/trajectory_peer.py sets it beside PyTorch.
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "bench/support/clock.h"
#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/core/random_scope.h"
#include "cytograd/models/rna_vae.h"
#include "cytograd/ops/index.h"
#include "cytograd/optim/adam.h"

using namespace cytograd;

namespace {

constexpr int64_t batch = 128;

Tensor uniform(const Shape& shape, double low, double high, const char* purpose) {
  Tensor x = Tensor::empty(shape);
  Rng rng(0, purpose);
  for (int64_t i = 0; i < x.numel(); ++i)
    x.data<float>()[i] = static_cast<float>(rng.uniform(low, high));
  return x;
}

// Zero but for a share of `density`, which is uniform in (0, 1].
Tensor sparse(const Shape& shape, double density, const char* purpose) {
  Tensor x = Tensor::zeros(shape);
  Rng rng(0, purpose);
  for (int64_t i = 0; i < x.numel(); ++i)
    if (rng.uniform(0, 1) < density) x.data<float>()[i] = static_cast<float>(1 - rng.uniform(0, 1));
  return x;
}

// The mean loss over the batches; the last one may be smaller.
double run_epoch(const models::RnaVae& model, optim::Adam& adam, const Tensor& expression,
                 const Tensor& latents, uint64_t epoch) {
  const int64_t cells = expression.size(0);
  std::vector<int64_t> order(static_cast<size_t>(cells));
  std::iota(order.begin(), order.end(), 0);
  Rng(0, "order", epoch).shuffle(order);
  double total = 0;
  for (int64_t begin = 0; begin < cells; begin += batch) {
    const RandomScope scope(1, static_cast<uint64_t>(adam.step_count()));
    const auto first = order.begin() + begin;
    const std::vector<int64_t> chosen(first, first + std::min(batch, cells - begin));
    const Tensor index = Tensor::from(chosen);
    const Tensor x = index_select(expression, 0, index), y = index_select(latents, 0, index);
    const Tensor loss = models::rna_vae_loss(model.forward(x), x, y);
    loss.backward();
    adam.step();
    adam.zero_grad();
    total += static_cast<double>(*loss.data<float>()) * static_cast<double>(x.size(0));
  }
  return total / static_cast<double>(cells);
}

void print_list(const char* name, const std::vector<double>& values) {
  std::printf("\"%s\": [", name);
  for (size_t i = 0; i < values.size(); ++i) std::printf("%s%.6g", i ? ", " : "", values[i]);
  std::printf("]");
}

int run(int64_t cells, int64_t genes, int64_t epochs, double density, double (*clock)()) {
  const models::RnaVae model(genes);
  optim::Adam adam(model.named_parameters(), {.lr = 1e-3});
  const Tensor expression = sparse({cells, genes}, density, "expression");
  const Tensor latents = uniform({cells, models::RnaVae::latent}, -1, 1, "latents");
  std::vector<double> seconds, losses;
  for (int64_t epoch = 0; epoch <= epochs; ++epoch) {
    const double begin = clock();
    const double loss = run_epoch(model, adam, expression, latents, static_cast<uint64_t>(epoch));
    if (epoch == 0) continue;
    seconds.push_back(clock() - begin);
    losses.push_back(loss);
  }
  std::printf("{");
  print_list("epoch", seconds);
  std::printf(", ");
  print_list("loss", losses);
  std::printf("}\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool processor = argc == 6 && std::string(argv[5]) == "--processor";
  const int64_t cells = argc > 1 ? std::atoll(argv[1]) : 0,
                genes = argc > 2 ? std::atoll(argv[2]) : 0,
                epochs = argc > 3 ? std::atoll(argv[3]) : 0;
  const double density = argc > 4 ? std::atof(argv[4]) : 0;
  if ((argc != 5 && !processor) || cells < 1 || genes < 1 || epochs < 1 || !(density > 0) ||
      density > 1) {
    std::fputs("usage: bench_rna_vae CELLS GENES EPOCHS DENSITY [--processor]\n", stderr);
    return 2;
  }
  try {
    return run(cells, genes, epochs, density,
               processor ? bench::processor_seconds : bench::wall_seconds);
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
