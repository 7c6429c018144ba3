#include "cytograd/ops/channel_buffer.h"

#include "cytograd/autograd/record.h"
#include "kernels/elementwise.h"
#include "ops/common.h"

namespace cytograd {
namespace {

// Channels [begin, begin + count) of x.
Tensor channels_of(const Tensor& x, int64_t begin, int64_t count) {
  Shape shape = x.shape();
  shape[shape.ndim() - 1] = count;
  const int64_t step = count > 0 ? begin * x.strides().back() : 0;
  return x.as_strided(shape, x.strides(), x.offset() + step);
}

Shape with_channels(Shape shape, int64_t channels) {
  check<ShapeError>(shape.ndim() >= 1, "channel_buffer", "expects [..., C], got a scalar");
  check<ValueError>(channels >= shape.back(), "channel_buffer", "capacity expects at least ",
                    shape.back(), " channels, got ", channels);
  shape[shape.ndim() - 1] = channels;
  return shape;
}

// Not Tensor::copy_: the version of the block stays, since nobody has seen these channels.
void write(const Tensor& to, const Tensor& x) {
  on_device(x, [&](auto ctx) { kernels::copy(ctx, to, x); });
}

}  // namespace

Tensor ChannelBuffer::prefix(int64_t channels) const { return channels_of(block_, 0, channels); }

void ChannelBuffer::take_moments(const Tensor& x, int64_t begin) {
  if (!moments_.mean.defined()) return;
  const ChannelMoments part = channel_moments(x);
  write(channels_of(moments_.mean, begin, x.shape().back()), part.mean);
  write(channels_of(moments_.variance, begin, x.shape().back()), part.variance);
}

ChannelMoments ChannelBuffer::moments() const {
  if (!moments_.mean.defined()) return {};
  const int64_t count = channels_.shape().back();
  return {channels_of(moments_.mean, 0, count), channels_of(moments_.variance, 0, count)};
}

ChannelBuffer::ChannelBuffer(const Tensor& first, int64_t capacity, bool with_moments)
    : block_(Tensor::empty(with_channels(first.shape(), capacity), first.dtype(), first.device())) {
  if (with_moments) {
    moments_.mean = Tensor::empty({capacity}, Dtype::float64, first.device());
    moments_.variance = Tensor::empty_like(moments_.mean);
  }
  take_moments(first, 0);
  channels_ = prefix(first.shape().back());
  write(channels_, first);
  channels_ = record("channel_buffer", {first}, channels_, {},
                     [](const auto&, const Tensor& dy) -> Grads { return {dy}; });
}

const Tensor& ChannelBuffer::append(const Tensor& x) {
  const int64_t before = channels_.shape().back();
  check<DtypeError>(x.dtype() == block_.dtype(), "append", "expects ", block_.dtype(), ", got ",
                    x.dtype());
  check_device("append", block_, x, "the addition");
  bool fits = x.ndim() == block_.ndim();
  for (int d = 0; fits && d + 1 < x.ndim(); ++d) fits = x.shape()[d] == block_.shape()[d];
  check<ShapeError>(fits && before + x.shape().back() <= block_.shape().back(), "append",
                    "expects the shape ", channels_.shape(), " except for at most ",
                    block_.shape().back() - before, " channels, got ", x.shape());
  const Tensor whole = prefix(before + x.shape().back());
  write(channels_of(block_, before, x.shape().back()), x);
  take_moments(x, before);
  channels_ =
      record("append", {channels_, x}, whole, {}, [](const auto& back, const Tensor& dy) -> Grads {
        const int64_t before = back.input_shape(0).back();
        Grads grads(2);
        if (back.needs(0)) grads[0] = channels_of(dy, 0, before);
        if (back.needs(1)) grads[1] = channels_of(dy, before, back.input_shape(1).back());
        return grads;
      });
  return channels_;
}

}  // namespace cytograd
