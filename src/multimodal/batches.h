#pragma once

#include <cstdint>
#include <vector>

/// @file
/// Which cells a step sees.

namespace cytograd::multimodal {

using Batches = std::vector<std::vector<int64_t>>;

/// Every row once, shuffled by (seed, epoch), in pieces of `size`; the last may be shorter.
Batches shuffled_batches(const std::vector<int64_t>& rows, int64_t size, uint64_t seed,
                         int64_t epoch);

/// @throws ConfigError if `each` rows of every group would fill a batch of `size`
void check_balance(const std::vector<std::vector<int64_t>>& groups, int64_t each, int64_t size);

/// Every row once and, in every batch, at least `each` rows of every group (all of it, if it has
/// fewer), drawn in turn from the group's own shuffle. Batches have at most `size` rows.
/// @param groups  rows of each, a part of `rows`
/// @throws as check_balance
Batches balanced_batches(const std::vector<int64_t>& rows,
                         const std::vector<std::vector<int64_t>>& groups, int64_t each,
                         int64_t size, uint64_t seed, int64_t epoch);

/// At most `most` of the rows, evenly spread.
std::vector<int64_t> spread(const std::vector<int64_t>& rows, int64_t most);

}  // namespace cytograd::multimodal
