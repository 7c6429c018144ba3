#include "cytograd/autograd/gradcheck.h"

#include <cmath>
#include <sstream>

#include "cytograd/autograd/record.h"
#include "cytograd/core/random.h"

namespace cytograd {
namespace {

double weighted_sum(const Tensor& y, const Tensor& weights) {
  const std::vector<double> a = y.to_vector<double>(), b = weights.to_vector<double>();
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

GradCheck gradcheck(const std::function<Tensor(const Tensors&)>& f, const Tensors& inputs,
                    double h) {
  Tensors leaves;
  bool any = false;
  for (const Tensor& input : inputs) {
    const bool checked = input.defined() && input.dtype() == Dtype::float64;
    leaves.push_back(checked ? input.detach().clone() : input);
    if (checked) leaves.back().set_requires_grad(true);
    any |= checked;
  }
  check<DtypeError>(any, "gradcheck", "expects at least one float64 input");

  const Tensor y = f(leaves);
  const Tensor weights = Tensor::empty(y.shape(), Dtype::float64);
  Rng rng(0, "gradcheck");
  for (int64_t i = 0; i < weights.numel(); ++i) weights.data<double>()[i] = rng.uniform(0.5, 1.5);
  if (y.requires_grad()) y.backward(weights);

  const NoGrad no_grad;
  GradCheck result;
  for (size_t k = 0; k < leaves.size(); ++k) {
    if (!leaves[k].defined() || leaves[k].dtype() != Dtype::float64) continue;
    const std::vector<double> analytic =
        leaves[k].grad().defined()
            ? leaves[k].grad().to_vector<double>()
            : std::vector<double>(static_cast<size_t>(leaves[k].numel()), 0.0);
    auto* x = leaves[k].data<double>();
    for (int64_t i = 0; i < leaves[k].numel(); ++i) {
      const double original = x[i];
      x[i] = original + h;
      const double up = weighted_sum(f(leaves), weights);
      x[i] = original - h;
      const double down = weighted_sum(f(leaves), weights);
      x[i] = original;
      const double numeric = (up - down) / (2 * h), exact = analytic[static_cast<size_t>(i)];
      const double error =
          std::abs(exact - numeric) / std::max({1.0, std::abs(exact), std::abs(numeric)});
      if (!(error <= result.worst)) {
        result.worst = std::isnan(error) ? INFINITY : error;
        std::ostringstream place;
        place << "input " << k << ", element " << i << ": analytic " << exact << ", numeric "
              << numeric;
        result.place = place.str();
      }
    }
  }
  return result;
}

}  // namespace cytograd
