#include "cytograd/autograd/record.h"

#include <doctest/doctest.h>
#include <pthread.h>

#include <atomic>
#include <thread>

#include "kernels/elementwise.h"

using namespace cytograd;

namespace {

// y = factor * x, the smallest op there is.
Tensor scaled(const Tensor& x, double factor) {
  const Tensor xc = x.contiguous();
  Tensor y = Tensor::empty_like(xc);
  for (int64_t i = 0; i < y.numel(); ++i) y.data<double>()[i] = factor * xc.data<double>()[i];
  return record("scaled", {x}, y, Saved{x}, factor,
                [](const auto& back, const Tensor& dy) -> Grads {
                  const NoGrad no_grad;
                  return {scaled(dy, back.params)};
                });
}

Tensor added(const Tensor& a, const Tensor& b) {
  Tensor y = a.detach().clone();
  kernels::add_into(y, b.contiguous());
  return record("added", {a, b}, y, {}, [](const auto&, const Tensor& dy) -> Grads {
    return {dy, dy};
  });
}

// y = factor x, whose rule adds to what the gradient of x holds already.
Tensor scaled_into(const Tensor& x, double factor) {
  const Tensor y = scaled(x.detach(), factor);
  return record("scaled_into", {x}, y, {}, factor, [](const auto& back, const Tensor& dy) -> Grads {
    const Tensor term = scaled(dy, back.params), sum = back.take_sum(0);
    if (!sum.defined()) return {term};
    kernels::add_into(sum, term);
    return {sum};
  });
}

// a and b [N, .] side by side; their gradients are views of the result's.
Tensor halves(const Tensor& a, const Tensor& b) {
  const int64_t n = a.size(0), ca = a.size(1), c = ca + b.size(1);
  const Tensor y = Tensor::empty({n, c}, a.dtype());
  y.as_strided(a.shape(), {c, 1}, 0).copy_(a);
  y.as_strided(b.shape(), {c, 1}, ca).copy_(b);
  return record("halves", {a, b}, y, {}, [](const auto& back, const Tensor& dy) -> Grads {
    const Shape &a = back.input_shape(0), &b = back.input_shape(1);
    return {dy.as_strided(a, dy.strides(), dy.offset()),
            dy.as_strided(b, dy.strides(), dy.offset() + a[1])};
  });
}

}  // namespace

TEST_CASE("a rule may add to the gradient that its input has") {
  const Tensor x = Tensor::from<double>({1, 2, 3});
  x.set_requires_grad(true);
  const Tensor one = Tensor::ones({3}, Dtype::float64);
  const Tensor y = scaled(x, 2), z = scaled_into(y, 3);
  added(added(scaled(y, 5), z), scaled_into(y, 7)).backward(one);  // 2 (5 + 3 + 7) x
  CHECK(x.grad().to_vector<double>() == std::vector<double>{30, 30, 30});
  CHECK(one.to_vector<double>() == std::vector<double>{1, 1, 1});
  // p and v share one gradient when w's rule runs: it must not add to what v sees too.
  const Tensor u = Tensor::from<double>({1, 2, 3});
  u.set_requires_grad(true);
  const Tensor p = scaled(u, 2), v = scaled(u, 3), w = scaled_into(p, 7);
  added(added(p, v), w).backward(Tensor::ones({3}, Dtype::float64));
  CHECK(u.grad().to_vector<double>() == std::vector<double>{19, 19, 19});  // 2 (1 + 7) + 3
  // What is offered and not taken stays.
  const Tensor r = Tensor::from<double>({1, 2, 3});
  r.set_requires_grad(true);
  const Tensor q = scaled(r, 2), s = scaled(q, 5), t = scaled(q, 7);
  added(s, t).backward(one);
  CHECK(r.grad().to_vector<double>() == std::vector<double>{24, 24, 24});
  // The leaf's own gradient is never offered: others may hold it.
  const Tensor held = x.grad();
  scaled_into(x, 1).backward(one);
  CHECK(x.grad().to_vector<double>() == std::vector<double>{31, 31, 31});
}

TEST_CASE("gradients that are views of one buffer stay apart") {
  const Tensor x = Tensor::from<double>({1, 2, 3, 4}, {2, 2});
  x.set_requires_grad(true);
  const Tensor dy = Tensor::from<double>({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4});
  const Tensor a = scaled(x, 1), b = scaled(x, 10);
  // More uses of a and b, before and after in the graph, add to their halves of the gradient.
  const Tensor y = halves(a, b), more = added(scaled_into(a, 100), scaled(b, 1000));
  added(scaled(y, 1), halves(more, scaled_into(b, 1))).backward(dy);
  // dx = da + 10 db with da = dy[:, :2] + 100 dy[:, :2], db = dy[:, 2:] (1 + 1) + 1000 dy[:, :2]
  std::vector<double> want;
  for (const auto& [left, right] : {std::pair{1., 3.}, {2., 4.}, {5., 7.}, {6., 8.}})
    want.push_back(101 * left + 10 * (2 * right + 1000 * left));
  CHECK(x.grad().to_vector<double>() == want);
  CHECK(dy.to_vector<double>() == std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("gradients add up over every path and every backward") {
  const Tensor x = Tensor::from<double>({1, 2, 3});
  x.set_requires_grad(true);
  const Tensor y = scaled(x, 2);
  const Tensor z = added(added(y, y), x);  // 5 x
  z.backward(Tensor::ones({3}, Dtype::float64));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{5, 5, 5});
  scaled(x, 3).backward(Tensor::ones({3}, Dtype::float64));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{8, 8, 8});
}

TEST_CASE("a node waits for every path, short or long") {
  const Tensor x = Tensor::from<double>({1, 2, 3});
  x.set_requires_grad(true);
  const Tensor y = scaled(x, 2);
  added(y, scaled(scaled(y, 3), 2)).backward(Tensor::ones({3}, Dtype::float64));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{14, 14, 14});
}

TEST_CASE("two leaves never share one gradient buffer") {
  const Tensor a = Tensor::ones({2}, Dtype::float64), b = Tensor::ones({2}, Dtype::float64);
  a.set_requires_grad(true);
  b.set_requires_grad(true);
  added(a, b).backward(Tensor::ones({2}, Dtype::float64));
  a.grad().fill_(7);
  CHECK(b.grad().to_vector<double>() == std::vector<double>{1, 1});
}

TEST_CASE("a consumed graph and a changed saved tensor are refused") {
  const Tensor x = Tensor::ones({2}, Dtype::float64);
  x.set_requires_grad(true);
  const Tensor y = scaled(x, 2);
  const Tensor one = Tensor::ones({2}, Dtype::float64);
  y.backward(one);
  CHECK_THROWS_WITH_AS(
      y.backward(one),
      "scaled: backward was already run through this graph; compute the result again", StateError);
  const Tensor z = scaled(x, 2);
  {
    const NoGrad no_grad;
    x.fill_(5);
  }
  CHECK_THROWS_AS(z.backward(one), StateError);
  CHECK_THROWS_AS(x.fill_(1), StateError);
}

TEST_CASE("a graph of 200,000 nodes is freed without recursion") {
  const auto build_and_free = [](void*) -> void* {
    const Tensor x = Tensor::ones({1}, Dtype::float64);
    x.set_requires_grad(true);
    Tensor y = x;
    for (int i = 0; i < 200'000; ++i) y = scaled(y, 1);
    return nullptr;
  };
  // On a small stack, which recursion would run out of.
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  pthread_t thread;
  REQUIRE(pthread_create(&thread, &attributes, build_and_free, nullptr) == 0);
  pthread_attr_destroy(&attributes);
  CHECK(pthread_join(thread, nullptr) == 0);
}

TEST_CASE("memory of a graph is given back as backward passes") {
  const size_t before = memory_stats().in_use;
  {
    const Tensor x = Tensor::ones({1000}, Dtype::float64);
    x.set_requires_grad(true);
    const Tensor y = scaled(scaled(scaled(x, 2), 2), 2);
    const size_t held = memory_stats().in_use;
    y.backward(Tensor::ones({1000}, Dtype::float64));
    CHECK(memory_stats().in_use < held);
  }
  CHECK(memory_stats().in_use == before);
}

TEST_CASE("a graph that no backward passes is freed, also where an operation saves its result") {
  const Tensor x = Tensor::ones({1000}, Dtype::float64);
  x.set_requires_grad(true);
  const size_t before = memory_stats().in_use;
  {
    const Tensor y = scaled(x, 2);
    const Tensor z = Tensor::empty_like(y);
    z.copy_(y);
    const Tensor saved_result = record("keep", {y}, z, Saved{z},
                                       [](const auto&, const Tensor& dy) -> Grads { return {dy}; });
    CHECK(saved_result.requires_grad());
  }
  CHECK(memory_stats().in_use == before);
}

TEST_CASE("no recording, no graph") {
  const Tensor x = Tensor::ones({2}, Dtype::float64);
  x.set_requires_grad(true);
  const NoGrad no_grad;
  CHECK(!scaled(x, 2).requires_grad());
}

TEST_CASE("a result that has its place in the graph cannot be recorded again") {
  const Tensor x = Tensor::ones({2}, Dtype::float64);
  x.set_requires_grad(true);
  // An operation that returns its input as it came would make a node its own input.
  CHECK_THROWS_WITH_AS(
      record("same", {x}, x, {}, [](const auto&, const Tensor& dy) -> Grads { return {dy}; }),
      "same: the result already has a place in the graph", InternalError);
}

TEST_CASE("a gradient given by the caller stays the caller's") {
  const Tensor x = Tensor::ones({2}, Dtype::float64);
  x.set_requires_grad(true);
  const Tensor dy = Tensor::ones({2}, Dtype::float64);
  for (int i = 0; i < 2; ++i) {
    const Tensor y = scaled(x, 2);
    added(added(y, y), y).backward(dy);
    x.backward(dy);
  }
  CHECK(dy.to_vector<double>() == std::vector<double>{1, 1});
  CHECK(x.grad().to_vector<double>() == std::vector<double>{14, 14});
}

TEST_CASE("graphs in several threads are independent") {
  const Tensor w = Tensor::from<double>({1, 2, 3});
  w.set_requires_grad(true);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const Tensor x = Tensor::from<double>({1, 1, 1});
        x.set_requires_grad(true);
        scaled(scaled(x, t), 2).backward(w.detach());
        wrong += x.grad().to_vector<double>() != std::vector<double>{2. * t, 4. * t, 6. * t};
        const NoGrad no_grad;  // shared parameters, read only
        wrong += scaled(w, t).to_vector<double>()[2] != 3. * t;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}
