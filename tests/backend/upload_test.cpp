#include <doctest/doctest.h>

#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "cytograd/ops/elementwise.h"

using namespace cytograd;

TEST_CASE("uploads run beside the work and wait for those who still read") {
  const Device device = Device::cuda();
  CudaUpload upload(device);
  Tensor sum = Tensor::zeros({5000}, Dtype::float32, device);
  float expected = 0;
  for (int i = 1; i <= 6; ++i) {
    // Memory of the host may change as soon as start returns; sizes change, too.
    const int64_t n = i % 2 ? 5000 : 3000;
    Tensor values = Tensor::full({n}, i), labels = Tensor::full({2}, i, Dtype::int64);
    upload.start({values, labels});
    values.fill_(-1);
    const Tensors there = upload.take();
    CHECK(there[0].shape() == Shape{n});
    const Tensor part = sum.as_strided({n}, {1}, 0);
    part.copy_(part + there[0]);
    upload.release();
    upload.start({Tensor::full({5000}, 100), labels});  // dropped: nobody takes it
    if (i == 3) CHECK(there[1].to(Device::cpu()).to_vector<int64_t>().size() == 2);
    expected += static_cast<float>(i);
  }
  CHECK(sum.to_vector<float>()[0] == expected);
  CHECK(sum.to_vector<float>()[4999] == 1 + 3 + 5);
  CHECK_THROWS_AS(upload.start({sum}), DeviceError);
  CHECK_THROWS_AS(CudaUpload{Device::cpu()}, DeviceError);
}
