#include "cuda/emulation/profile.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <tuple>

#include "cuda/emulation/race.h"

namespace cytograd::simt {
namespace {

std::vector<LineProfile>& last_profile() {
  static std::vector<LineProfile> instance;
  return instance;
}

RequestCost shared_cost(const WarpRequest& r) {
  const int lanes = r.bytes >= 16 ? 8 : r.bytes == 8 ? 16 : 32;
  RequestCost cost{0, 0};
  for (int start = 0; start < 32; start += lanes) {
    std::set<uint64_t> banks[32];
    for (int lane = start; lane < start + lanes; ++lane) {
      if (!(r.mask >> lane & 1)) continue;
      const uint64_t first = r.address[lane] / 4, last = (r.address[lane] + r.bytes - 1) / 4;
      for (uint64_t word = first; word <= last; ++word) banks[word % 32].insert(word);
    }
    size_t most = 0;
    for (const auto& words : banks) most = std::max(most, words.size());
    cost.moved += most;
    cost.ideal += most ? 1 : 0;
  }
  return cost;
}

RequestCost global_cost(const WarpRequest& r) {
  std::set<uint64_t> sectors, starts;
  for (int lane = 0; lane < 32; ++lane) {
    if (!(r.mask >> lane & 1)) continue;
    const uint64_t first = r.address[lane] / 32, last = (r.address[lane] + r.bytes - 1) / 32;
    for (uint64_t sector = first; sector <= last; ++sector) sectors.insert(sector);
    starts.insert(r.address[lane]);
  }
  return {sectors.size(), (starts.size() * r.bytes + 31) / 32};
}

}  // namespace

RequestCost cost_of(const WarpRequest& request) {
  return request.shared ? shared_cost(request) : global_cost(request);
}

const std::vector<LineProfile>& profile() { return last_profile(); }

std::string profile_text() {
  std::string text;
  char row[200];
  for (const LineProfile& p : last_profile()) {
    std::snprintf(row, sizeof row,
                  "%-28s %-6s %-5s %2u bytes %8llu requests  %6.2f %s per request, ideal %.2f\n",
                  p.line.text().c_str(), p.shared ? "shared" : "global", p.write ? "write" : "read",
                  p.bytes, static_cast<unsigned long long>(p.requests), p.per_request(),
                  p.shared ? "wavefronts" : "sectors", p.ideal_per_request());
    text += row;
  }
  return text;
}

void Profiler::launch_begin(const Launch&) {
  last_profile().clear();
  requests_.clear();
  counts_.clear();
}

void Profiler::allocate(void* p, size_t bytes, bool shared, const char*) {
  if (shared) shared_[reinterpret_cast<uintptr_t>(p)] = bytes;
}

void Profiler::access(const void* p, size_t bytes, unsigned kind, void* pc) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  if (kind & (atomic | async_proxy | pending) || self->stack->contains(p)) return;
  const Block& block = *self->block;
  const uint64_t thread = block.serial << 10 | self->linear;
  const uint32_t nth = counts_[{pc, thread}]++;
  WarpRequest& request = requests_[{block.serial, pc, self->warp, nth}];
  const auto next = shared_.upper_bound(address);
  uintptr_t start = 0;
  if (next != shared_.begin() && address - std::prev(next)->first < std::prev(next)->second)
    start = std::prev(next)->first;
  request.mask |= 1u << self->lane;
  request.bytes = static_cast<uint32_t>(bytes);
  request.shared = start != 0;
  request.write = kind & writes;
  request.address[self->lane] = address - start;
}

std::string Profiler::launch_end() {
  std::vector<const void*> addresses;
  for (const auto& [key, request] : requests_)
    if (addresses.empty() || addresses.back() != key.pc) addresses.push_back(key.pc);
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  const std::vector<SourceLine> lines = source_lines(addresses);
  using Group = std::tuple<SourceLine, bool, bool, unsigned>;
  std::map<Group, LineProfile> groups;
  for (const auto& [key, request] : requests_) {
    const auto at = std::lower_bound(addresses.begin(), addresses.end(), key.pc);
    const SourceLine& line = lines[static_cast<size_t>(at - addresses.begin())];
    LineProfile& p = groups[{line, request.shared, request.write, request.bytes}];
    const RequestCost cost = cost_of(request);
    p.line = line;
    p.shared = request.shared;
    p.write = request.write;
    p.bytes = request.bytes;
    ++p.requests;
    p.moved += cost.moved;
    p.ideal += cost.ideal;
  }
  for (const auto& [group, p] : groups) last_profile().push_back(p);
  requests_.clear();
  counts_.clear();
  return "";
}

void install_checkers() {
  static std::unique_ptr<RaceChecker> race;
  static std::unique_ptr<Profiler> profiler;
  const auto set = [](auto& observer, bool wanted) {
    if (wanted == (observer != nullptr)) return;
    if (wanted) {
      observer = std::make_unique<typename std::remove_reference_t<decltype(*observer)>>();
      add_observer(observer.get());
    } else {
      remove_observer(observer.get());
      observer.reset();
    }
  };
  set(race, config().race);
  set(profiler, config().profile);
}

}  // namespace cytograd::simt
