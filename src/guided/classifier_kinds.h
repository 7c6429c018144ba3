#pragma once

#include "cytograd/guided/classifiers.h"

namespace cytograd {

/// A classifier as it was stored. @throws std::out_of_range if the state lacks a tensor
std::unique_ptr<Classifier> classifier_of(const ClassifierSpec& spec, const TensorMap& state);

}  // namespace cytograd
