#pragma once

#include "cytograd/io/image.h"
#include "fuzz.h"

/// Decodes one format at its full and at a reduced size, in two forms, within a small pixel limit.
inline int fuzz_image(const uint8_t* data, size_t size, cytograd::ImageFormat format) {
  using namespace cytograd;
  const ImageOptions options{.form = PixelForm::rgb, .max_pixels = 1 << 18};
  bool wanted = false;
  expect_data_errors_only(data, size, [&](std::string_view bytes, const std::string& name) {
    wanted = probe_image(bytes, name, options).format == format;
  });
  if (!wanted) return 0;
  for (const PixelForm form : {PixelForm::rgba, PixelForm::keep})
    expect_data_errors_only(data, size, [&](std::string_view bytes, const std::string& name) {
      ImageOptions o = options;
      o.form = form;
      o.min_side = form == PixelForm::keep ? 8 : 0;
      const Image image = decode_image(bytes, name, o);
      const auto expected = static_cast<size_t>(image.height * image.width * image.channels);
      if (image.pixels.size() != expected || expected == 0) __builtin_trap();
    });
  return 0;
}
