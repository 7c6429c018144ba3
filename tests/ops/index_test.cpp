#include "cytograd/ops/index.h"

#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

TEST_CASE("gather and scatter_add") {
  OpCase c;
  c.name = "gather dim 1";
  c.inputs = {{{3, 7, 2}}, {{2, 5, 2}, 0, 6, {}, 0, Dtype::int64}};
  c.op = [](const Tensors& in) { return gather(in[0], 1, in[1]); };
  c.reference = [](const std::vector<Ref>& in) {
    Ref out({2, 5, 2});
    for (int64_t a = 0; a < 2; ++a)
      for (int64_t b = 0; b < 5; ++b)
        for (int64_t d = 0; d < 2; ++d)
          out({a, b, d}) = in[0]({a, static_cast<int64_t>(in[1]({a, b, d})), d});
    return out;
  };
  check_op(c);
  c.name = "scatter_add dim 0";
  c.inputs = {{{4, 3}}, {{5, 3}, 0, 3, {}, 0, Dtype::int64}, {{6, 3}}};
  c.op = [](const Tensors& in) { return scatter_add(in[0], 0, in[1], in[2]); };
  c.reference = [](const std::vector<Ref>& in) {
    Ref out = in[0];
    for (int64_t a = 0; a < 5; ++a)
      for (int64_t b = 0; b < 3; ++b)
        out({static_cast<int64_t>(in[1]({a, b})), b}) += in[2]({a, b});
    return out;
  };
  c.check_nan = false;  // the middle of src may not be used
  check_op(c);
}

TEST_CASE("index_select") {
  for (const int dim : {0, 1, 2}) {
    OpCase c;
    c.name = "index_select";
    c.inputs = {{{3, 4, 5}}, {{6}, 0, 2, {}, 0, Dtype::int64}};
    c.op = [dim](const Tensors& in) { return index_select(in[0], dim, in[1]); };
    c.reference = [dim](const std::vector<Ref>& in) {
      Shape shape{3, 4, 5};
      shape[dim] = 6;
      Ref out(shape);
      for (int64_t a = 0; a < shape[0]; ++a)
        for (int64_t b = 0; b < shape[1]; ++b)
          for (int64_t d = 0; d < shape[2]; ++d) {
            const auto at = [&](int64_t i) { return static_cast<int64_t>(in[1]({i})); };
            out({a, b, d}) =
                in[0]({dim == 0 ? at(a) : a, dim == 1 ? at(b) : b, dim == 2 ? at(d) : d});
          }
      return out;
    };
    check_op(c);
  }
}

TEST_CASE("one_hot, and indices of every dtype's tensor") {
  const Tensor labels = Tensor::from<int64_t>({2, 0, 1});
  CHECK(one_hot(labels, 3).to_vector<double>() == std::vector<double>{0, 0, 1, 1, 0, 0, 0, 1, 0});
  CHECK(one_hot(labels, 4, Dtype::int64).shape() == Shape{3, 4});
  const Tensor bytes = Tensor::from<uint8_t>({7, 8, 9});
  CHECK(index_select(bytes, 0, labels).to_vector<int64_t>() == std::vector<int64_t>{9, 7, 8});
  CHECK(index_select(bytes, 0, Tensor::empty({0}, Dtype::int64)).shape() == Shape{0});
}

TEST_CASE("index operations refuse what they cannot take") {
  const Tensor x = Tensor::zeros({2, 3});
  const auto ints = [](std::vector<int64_t> v, const Shape& s) { return Tensor::from(v, s); };
  check_op_error<ValueError>(
      [&] {
        gather(x, 1, ints({0, 3}, {2, 1}));
      },
      "gather: index 3 at position 1 is not in 0..2");
  check_op_error<ShapeError>(
      [&] {
        gather(x, 1, ints({0, 0, 0}, {3, 1}));
      },
      "gather: index [3, 1] does not fit input [2, 3] except along axis 1");
  check_op_error<DtypeError>([&] { gather(x, 1, x); }, "gather: index expects int64, got float32");
  check_op_error<ValueError>([&] { index_select(x, 0, ints({-1}, {1})); },
                             "index_select: index -1 at position 0 is not in 0..1");
  check_op_error<ShapeError>(
      [&] {
        index_select(x, 0, ints({1}, {1, 1}));
      },
      "index_select: index expects one axis, got [1, 1]");
  check_op_error<ShapeError>(
      [&] {
        scatter_add(x, 1, ints({0, 0}, {1, 2}), Tensor::zeros({1, 1}));
      },
      "scatter_add: src expects at least [1, 2] as index has, got [1, 1]");
  check_op_error<ValueError>(
      [&] {
        one_hot(ints({1, 5}, {2}), 5);
      },
      "one_hot: label 5 at position 1 is not in 0..4");
  check_op_error<ValueError>([&] { one_hot(ints({1}, {1}), 0); },
                             "one_hot: classes must be >= 1, got 0");
}
