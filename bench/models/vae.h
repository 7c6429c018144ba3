#pragma once

#include "bench/models/model_work.h"

/// @file
/// The variational autoencoders: "image-vae" and "rna-vae".

namespace cytograd::bench {

bool is_vae(const std::string& model);
/// A training step with sampling, all loss terms and Adam, or reconstruction from the mean.
Work vae_work(const ModelSetting& setting);

}  // namespace cytograd::bench
