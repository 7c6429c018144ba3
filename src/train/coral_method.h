#pragma once

#include <vector>

#include "cytograd/losses/coral.h"
#include "cytograd/train/config.h"
#include "train/methods.h"

namespace cytograd {

losses::CoralForm coral_form(const TrainConfig& config);
/// losses::coral of the domains of a batch. @param z [N, h]
Tensor domain_alignment(const Tensor& z, const std::vector<DomainBlock>& blocks,
                        losses::CoralForm form);

}  // namespace cytograd
