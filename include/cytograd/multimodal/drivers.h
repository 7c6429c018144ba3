#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/cluster/curves.h"
#include "cytograd/cluster/gene_curves.h"

/// @file
/// Which genes go with which changes of looks along paths; docs/multimodal.md.

namespace cytograd::multimodal {

/// Genes and morphology scores along one of several paths, at the same points.
struct PathCurves {
  cluster::Curves genes;   ///< [G, T]
  cluster::Curves scores;  ///< [M, T], NaN where a score has no value
};

struct DriverOptions {
  int64_t permutations = 1000;  ///< of the pairing of paths
  uint64_t seed = 0;
};

/// A gene along a path.
struct Driver {
  int64_t gene = 0;            ///< row
  double change = 0;           ///< `cluster::rise` of the fold change
  double range = 0;            ///< of the fold change
  double half_time = 0;        ///< t at which it first reaches half of its change; NaN where flat
  std::vector<double> along;   ///< [M] Spearman over t with each score of the mean path
  std::vector<double> across;  ///< [M] correlation across paths, tanh of mean Fisher z over t; NaN
                               ///< with fewer than 8 paths
  std::vector<double> p, q;    ///< [M] by permutation, and after Benjamini and Hochberg over genes
};

/// All genes, in order of rows. @param fold  fold changes of the mean path [G, T]
/// @param scores  of the mean path [M, T]   @param paths  S of them   @param t  [T]
/// @throws ValueError for sizes that disagree
std::vector<Driver> find_drivers(const cluster::Curves& fold, const cluster::Curves& scores,
                                 const std::vector<double>& t, const std::vector<PathCurves>& paths,
                                 const DriverOptions& options = {});

/// Benjamini and Hochberg's adjusted p, NaN left out and kept.
std::vector<double> benjamini_hochberg(const std::vector<double>& p);

/// Symbols that a name of a protein or an older name stands for: CD16 is FCGR3A and FCGR3B. A name
/// without an entry is itself.
std::vector<std::string> gene_symbols(const std::string& name);

/// What is known of a gene along a path, for display. @return 1 up, -1 down, 0 nothing
/// @param lineage  "granulopoiesis", "monocytopoiesis" or "maturation"
int literature_direction(const std::string& lineage, const std::string& symbol);

}  // namespace cytograd::multimodal
