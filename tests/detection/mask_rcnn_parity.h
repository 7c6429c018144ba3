#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// What tests/reference/mask_rcnn_parity.py prints of one network.

struct Stats {
  double mean, rms, first, last;
};

struct ExpectedDetection {
  size_t image;
  int64_t label;
  double score;
  std::array<double, 4> box;
  int64_t pixels;  // with a mask value >= 0.5
  double sum;      // of the pasted mask
};

struct Expected {
  std::vector<Stats> features = {};
  std::vector<double> logits = {}, deltas = {};
  std::vector<Stats> pooled = {}, masks = {};
  size_t proposals = 0;
  std::array<double, 5> losses = {};
  std::vector<std::pair<std::string, double>> gradients = {};
  double gradient = 0;
  std::vector<size_t> found = {};
  std::vector<ExpectedDetection> best = {};
};
