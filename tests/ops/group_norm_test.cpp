#include "cytograd/ops/group_norm.h"

#include <cmath>

#include <doctest/doctest.h>

#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

OpCase group_case(const std::string& name, const Shape& shape, int64_t groups, bool affine = true) {
  const int64_t channels = shape.back();
  OpCase c;
  c.name = "group_norm " + name;
  c.inputs = {{shape}};
  if (affine) {
    c.inputs.push_back({{channels}, 0.5, 2});
    c.inputs.push_back({{channels}});
  }
  c.op = [=](const Tensors& in) {
    return group_norm(in[0], groups, affine ? in[1] : Tensor{}, affine ? in[2] : Tensor{}, 1e-4);
  };
  c.reference = [=](const std::vector<Ref>& in) {
    Ref y = in[0];
    const int64_t per_sample = y.shape[0] ? y.shape.numel() / y.shape[0] : 0,
                  width = channels / groups;
    for (int64_t n = 0; n < y.shape[0]; ++n)
      for (int64_t g = 0; g < groups; ++g) {
        // The indices of this sample whose channel lies in group g.
        std::vector<int64_t> members;
        for (int64_t i = n * per_sample; i < (n + 1) * per_sample; ++i)
          if (i % channels / width == g) members.push_back(i);
        double mean = 0, variance = 0;
        for (const int64_t i : members)
          mean += in[0].values[i] / static_cast<double>(members.size());
        for (const int64_t i : members)
          variance += (in[0].values[i] - mean) * (in[0].values[i] - mean) /
                      static_cast<double>(members.size());
        for (const int64_t i : members) {
          y.values[i] = (in[0].values[i] - mean) / std::sqrt(variance + 1e-4);
          if (affine)
            y.values[i] = y.values[i] * in[1].values[i % channels] + in[2].values[i % channels];
        }
      }
    return y;
  };
  c.float32_tolerance = 4e-6;
  return c;
}

}  // namespace

TEST_CASE("group_norm") {
  check_op(group_case("two groups", {2, 3, 5, 6}, 2));
  check_op(group_case("one group", {3, 2, 2, 3}, 1));
  check_op(group_case("instance", {2, 7, 3}, 3));
  check_op(group_case("matrix", {3, 8}, 4));
  check_op(group_case("no weight", {2, 5, 4}, 2, false));
  check_op(group_case("no sample", {0, 5, 4}, 2));
  check_op(group_case("more rows than a run", {1, 71, 2}, 2));
}

TEST_CASE("group_norm refuses bad arguments") {
  const Tensor x = Tensor::zeros({2, 5, 6});
  check_op_error<ValueError>([&] { group_norm(x, 4, {}, {}); },
                             "group_norm: groups must divide the 6 channels, got 4");
  check_op_error<ValueError>([&] { group_norm(x, 0, {}, {}); },
                             "group_norm: groups must divide the 6 channels, got 0");
  check_op_error<ShapeError>([&] { group_norm(Tensor::zeros({6}), 2, {}, {}); },
                             "group_norm: input expects [N, ..., C], got [6]");
  check_op_error<ShapeError>(
      [&] {
        group_norm(Tensor::zeros({2, 0, 6}), 2, {}, {});
      },
      "group_norm: input expects at least one value per group, got [2, 0, 6]");
  check_op_error<ShapeError>([&] { group_norm(x, 2, Tensor::ones({5}), {}); },
                             "group_norm: weight expects shape [6] for input [2, 5, 6], got [5]");
  check_op_error<ValueError>([&] { group_norm(x, 2, {}, {}, -1); },
                             "group_norm: eps must be >= 0, got -1");
}
