#include "cytograd/ops/shape.h"

#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

// y at every position is x at place(position): what all of these operations do.
using Place = std::function<std::vector<int64_t>(const std::vector<int64_t>&)>;

Ref moved(const Ref& x, const Shape& shape, const Place& place) {
  Ref out(shape);
  std::vector<int64_t> at(static_cast<size_t>(shape.ndim()), 0);
  for (double& value : out.values) {
    const std::vector<int64_t> from = place(at);
    int64_t flat = 0;
    for (int d = 0; d < x.shape.ndim(); ++d)
      flat = flat * x.shape[d] + from[static_cast<size_t>(d)];
    value = x.values[static_cast<size_t>(flat)];
    for (int d = shape.ndim() - 1; d >= 0 && ++at[static_cast<size_t>(d)] == shape[d]; --d)
      at[static_cast<size_t>(d)] = 0;
  }
  return out;
}

void check_moved(const std::string& name, const Shape& from, const Shape& to,
                 std::function<Tensor(const Tensor&)> op, Place place) {
  OpCase c;
  c.name = name;
  c.inputs = {{from}};
  c.op = [op](const Tensors& in) { return op(in[0]); };
  c.reference = [to, place](const std::vector<Ref>& in) { return moved(in[0], to, place); };
  check_op(c);
}

}  // namespace

TEST_CASE("views") {
  using Index = std::vector<int64_t>;
  check_moved(
      "reshape", {4, 6}, {3, 8},
      [](const Tensor& x) {
        return reshape(x, {3, -1});
      },
      [](const Index& i) {
        const int64_t flat = i[0] * 8 + i[1];
        return Index{flat / 6, flat % 6};
      });
  check_moved(
      "flatten", {2, 3, 5}, {2, 15}, [](const Tensor& x) { return flatten(x); },
      [](const Index& i) {
        return Index{i[0], i[1] / 5, i[1] % 5};
      });
  check_moved(
      "transpose", {2, 3, 5}, {5, 3, 2}, [](const Tensor& x) { return transpose(x, 0, -1); },
      [](const Index& i) {
        return Index{i[2], i[1], i[0]};
      });
  check_moved(
      "permute", {2, 3, 5}, {5, 2, 3},
      [](const Tensor& x) {
        return permute(x, {2, 0, 1});
      },
      [](const Index& i) {
        return Index{i[1], i[2], i[0]};
      });
  check_moved(
      "squeeze", {2, 1, 5}, {2, 5}, [](const Tensor& x) { return squeeze(x, 1); },
      [](const Index& i) {
        return Index{i[0], 0, i[1]};
      });
  check_moved(
      "unsqueeze", {2, 5}, {2, 5, 1}, [](const Tensor& x) { return unsqueeze(x, -1); },
      [](const Index& i) {
        return Index{i[0], i[1]};
      });
  check_moved(
      "expand", {3, 1}, {2, 3, 4},
      [](const Tensor& x) {
        return expand(x, {2, 3, 4});
      },
      [](const Index& i) {
        return Index{i[1], 0};
      });
  check_moved(
      "slice", {3, 11}, {3, 3}, [](const Tensor& x) { return slice(x, 1, 2, -2, 3); },
      [](const Index& i) {
        return Index{i[0], 2 + 3 * i[1]};
      });
  check_moved(
      "empty slice", {3, 4}, {0, 4}, [](const Tensor& x) { return slice(x, 0, 5, 9); },
      [](const Index& i) { return i; });
  check_moved(
      "scalar", {}, {1, 1},
      [](const Tensor& x) {
        return reshape(x, {1, 1});
      },
      [](const Index&) { return Index{}; });
}

TEST_CASE("concat and stack") {
  OpCase c;
  c.name = "concat";
  c.inputs = {{{2, 3, 5}}, {{2, 1, 5}}, {{2, 0, 5}}};
  c.op = [](const Tensors& in) { return concat(in, -2); };
  c.reference = [](const std::vector<Ref>& in) {
    Ref out({2, 4, 5});
    for (int64_t a = 0; a < 2; ++a)
      for (int64_t b = 0; b < 4; ++b)
        for (int64_t d = 0; d < 5; ++d)
          out({a, b, d}) = b < 3 ? in[0]({a, b, d}) : in[1]({a, 0, d});
    return out;
  };
  check_op(c);
  c.name = "stack";
  c.inputs = {{{3, 2}}, {{3, 2}}};
  c.op = [](const Tensors& in) { return stack(in, 1); };
  c.reference = [](const std::vector<Ref>& in) {
    Ref out({3, 2, 2});
    for (int64_t a = 0; a < 3; ++a)
      for (int64_t k = 0; k < 2; ++k)
        for (int64_t b = 0; b < 2; ++b) out({a, k, b}) = in[static_cast<size_t>(k)]({a, b});
    return out;
  };
  check_op(c);
}

TEST_CASE("views share memory, copies do not, and integers pass") {
  const Tensor x = Tensor::from<int64_t>({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(reshape(x, {3, 2}).storage() == x.storage());
  CHECK(slice(x, 1, 0, 2).storage() == x.storage());
  CHECK(reshape(transpose(x, 0, 1), {6}).storage() != x.storage());
  CHECK(reshape(transpose(x, 0, 1), {6}).to_vector<int64_t>() ==
        std::vector<int64_t>{1, 4, 2, 5, 3, 6});
  CHECK(concat({x, x}, 0).shape() == Shape{4, 3});
  CHECK(flatten(Tensor::zeros({}), 0).shape() == Shape{1});
}

TEST_CASE("shape operations refuse what they cannot take") {
  const Tensor x = Tensor::zeros({2, 3});
  check_op_error<ShapeError>(
      [&] {
        reshape(x, {4, -1});
      },
      "reshape: shape [4, -1] does not hold the 6 elements of [2, 3]");
  check_op_error<ShapeError>(
      [&] {
        reshape(x, {-1, -1});
      },
      "reshape: at most one size may be -1, got [-1, -1]");
  check_op_error<ShapeError>(
      [&] {
        reshape(x, {-2, 3});
      },
      "reshape: sizes expect >= 0 or one -1, got [-2, 3]");
  check_op_error<ShapeError>([&] { permute(x, {0}); },
                             "permute: expects 2 axes for input [2, 3], got 1");
  check_op_error<ShapeError>([&] { permute(x, {0, 0}); }, "permute: axis 0 is named twice");
  check_op_error<ShapeError>([&] { squeeze(x, 1); }, "squeeze: axis 1 expects size 1, got [2, 3]");
  check_op_error<ShapeError>(
      [&] {
        expand(x, {2, 4});
      },
      "expand: shape [2, 3] does not expand to [2, 4]");
  check_op_error<ValueError>([&] { slice(x, 0, 0, 1, 0); }, "slice: step must be >= 1, got 0");
  check_op_error<ValueError>([&] { concat({}, 0); }, "concat: expects at least one tensor");
  check_op_error<ShapeError>(
      [&] {
        concat({x, Tensor::zeros({2, 4})}, 0);
      },
      "concat: tensor 1 expects the shape [2, 3] except along axis 0, got [2, 4]");
  check_op_error<DtypeError>(
      [&] {
        concat({x, x.to(Dtype::float64)}, 0);
      },
      "concat: tensor 1 expects float32, got float64");
  check_op_error<ShapeError>(
      [&] {
        stack({x, Tensor::zeros({2})}, 0);
      },
      "stack: tensor 1 expects shape [2, 3], got [2]");
}

TEST_CASE("steps and sizes at the end of the number range") {
  const Tensor x = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {3, 2});
  CHECK(slice(x, 0, 1, 3, INT64_MAX).to_vector<float>() == std::vector<float>{3, 4});
  CHECK(slice(x, 0, INT64_MIN, INT64_MAX, 2).to_vector<float>() == std::vector<float>{1, 2, 5, 6});
  CHECK_THROWS_AS(reshape(x, {int64_t{1} << 62, 4, -1}), ShapeError);
}
