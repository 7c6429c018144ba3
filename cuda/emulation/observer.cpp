#include <algorithm>

#include "cuda/emulation/scheduler.h"

namespace cytograd::simt {

bool observed = false;

std::vector<Observer*>& observers() {
  static std::vector<Observer*> instance;
  return instance;
}

void add_observer(Observer* observer) {
  observers().push_back(observer);
  observed = true;
}

void remove_observer(Observer* observer) {
  auto& all = observers();
  all.erase(std::remove(all.begin(), all.end(), observer), all.end());
  observed = !all.empty();
}

void note_access(const void* p, size_t bytes, unsigned kind, void* pc) {
  const Inside inside;
  observe([&](Observer& o) { o.access(p, bytes, kind, pc); });
}

}  // namespace cytograd::simt
