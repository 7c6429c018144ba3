#include "io/sparse_rows.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace cytograd::io {
namespace {

// The entries grouped by `group`, a number below `groups`.
CsrMatrix grouped(std::vector<int32_t>& group, std::vector<int32_t>& other,
                  std::vector<float>& values, int64_t groups, int64_t others) {
  CsrMatrix out;
  out.rows = groups;
  out.columns = others;
  out.indptr.assign(static_cast<size_t>(groups) + 1, 0);
  for (const int32_t g : group) ++out.indptr[static_cast<size_t>(g) + 1];
  std::partial_sum(out.indptr.begin(), out.indptr.end(), out.indptr.begin());
  if (std::is_sorted(group.begin(), group.end())) {
    out.indices = std::move(other);
    out.values = std::move(values);
  } else {
    std::vector<int64_t> next = out.indptr;
    out.indices.resize(other.size());
    out.values.resize(values.size());
    for (size_t e = 0; e < values.size(); ++e) {
      const auto to = static_cast<size_t>(next[static_cast<size_t>(group[e])]++);
      out.indices[to] = other[e];
      out.values[to] = values[e];
    }
  }
  group.clear();
  other.clear();
  values.clear();
  return out;
}

bool rising(const CsrMatrix& m, size_t begin, size_t end) {
  for (size_t e = begin; e + 1 < end; ++e)
    if (m.indices[e] >= m.indices[e + 1]) return false;
  return true;
}

}  // namespace

CsrMatrix empty_rows(int64_t rows, int64_t columns) {
  CsrMatrix out;
  out.rows = rows;
  out.columns = columns;
  out.indptr.assign(1, 0);
  out.indptr.reserve(static_cast<size_t>(rows) + 1);
  return out;
}

void Tidied::add_to(std::vector<std::string>& notes) const {
  if (unsorted > 0) notes.push_back(std::to_string(unsorted) + " cells had unsorted genes");
  if (repeated > 0)
    notes.push_back(std::to_string(repeated) + " values of a gene met again in a cell were summed");
}

void tidy(CsrMatrix& m, Tidied& done) {
  std::vector<std::pair<int32_t, float>> row;
  size_t to = 0, begin = 0;
  for (size_t i = 0; i < static_cast<size_t>(m.rows); ++i) {
    const auto end = static_cast<size_t>(m.indptr[i + 1]);
    if (!rising(m, begin, end)) {
      row.clear();
      for (size_t e = begin; e < end; ++e) row.emplace_back(m.indices[e], m.values[e]);
      const auto earlier = [](const auto& a, const auto& b) { return a.first < b.first; };
      if (!std::is_sorted(row.begin(), row.end(), earlier)) {
        ++done.unsorted;
        std::stable_sort(row.begin(), row.end(), earlier);
      }
      for (size_t k = 0; k < row.size(); ++k) {
        m.indices[begin + k] = row[k].first;
        m.values[begin + k] = row[k].second;
      }
    }
    for (size_t e = begin; e < end;) {
      const int32_t column = m.indices[e];
      float sum = m.values[e++];
      for (; e < end && m.indices[e] == column; ++e, ++done.repeated) sum += m.values[e];
      if (sum == 0) continue;
      m.indices[to] = column;
      m.values[to++] = sum;
    }
    begin = end;
    m.indptr[i + 1] = static_cast<int64_t>(to);
  }
  m.indices.resize(to);
  m.values.resize(to);
}

CsrMatrix EntryList::take(int64_t rows, int64_t columns) {
  return grouped(rows_, columns_, values_, rows, columns);
}

CsrMatrix EntryList::take_turned(int64_t rows, int64_t columns) {
  return grouped(columns_, rows_, values_, columns, rows);
}

int64_t rows_within(const std::vector<int64_t>& indptr, int64_t first, int64_t most) {
  const auto begin = indptr.begin() + first;
  const auto end = std::upper_bound(begin + 1, indptr.end(), *begin + most);
  return std::max<int64_t>(1, end - begin - 1);
}

CsrMatrix rows_of(const CsrMatrix& m, int64_t first, int64_t count) {
  CsrMatrix out;
  out.rows = count;
  out.columns = m.columns;
  const int64_t from = m.indptr[static_cast<size_t>(first)],
                to = m.indptr[static_cast<size_t>(first + count)];
  out.values.assign(m.values.begin() + from, m.values.begin() + to);
  out.indices.assign(m.indices.begin() + from, m.indices.begin() + to);
  for (int64_t i = first; i <= first + count; ++i)
    out.indptr.push_back(m.indptr[static_cast<size_t>(i)] - from);
  return out;
}

void append_rows(CsrMatrix& m, const CsrMatrix& more) {
  const auto before = static_cast<int64_t>(m.values.size());
  m.values.insert(m.values.end(), more.values.begin(), more.values.end());
  m.indices.insert(m.indices.end(), more.indices.begin(), more.indices.end());
  for (size_t i = 1; i < more.indptr.size(); ++i) m.indptr.push_back(before + more.indptr[i]);
}

CsrMatrix renumbered(const CsrMatrix& m, const std::vector<int32_t>& to, int64_t columns) {
  CsrMatrix out = empty_rows(m.rows, columns);
  for (size_t i = 0; i < static_cast<size_t>(m.rows); ++i) {
    for (auto e = static_cast<size_t>(m.indptr[i]); e < static_cast<size_t>(m.indptr[i + 1]); ++e) {
      const int32_t column = to[static_cast<size_t>(m.indices[e])];
      if (column < 0) continue;
      out.indices.push_back(column);
      out.values.push_back(m.values[e]);
    }
    out.indptr.push_back(static_cast<int64_t>(out.values.size()));
  }
  Tidied sorted;
  tidy(out, sorted);
  return out;
}

}  // namespace cytograd::io
