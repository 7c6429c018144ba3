#pragma once

#include <memory>

#include "cytograd/train/method.h"

namespace cytograd {

/// The method of docs/guided.md that `context.config` names. @param head  for ce with a growing
/// embedding: what is trained after the epochs of the guide
std::unique_ptr<Method> make_guided(const MethodContext& context, std::unique_ptr<Method> head);

}  // namespace cytograd
