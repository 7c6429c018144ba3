#include "io/single_cells_pipe.h"

#include <algorithm>

namespace cytograd::io {
namespace {

void send(Sender& to, const std::vector<bool>& flags) {
  to.array(std::vector<uint8_t>(flags.begin(), flags.end()));
}
void send(Sender& to, const std::vector<std::string>& texts) { to.texts(texts); }
void send(Sender& to, const std::vector<double>& values) { to.array(values); }
void send(Sender& to, const std::vector<int64_t>& values) { to.array(values); }
void send(Sender& to, const Categorical& c) {
  to.array(c.codes);
  to.texts(c.categories);
  to.number(c.ordered);
}

void send(Sender& to, const AnnTable& table) {
  to.texts(table.names);
  to.number(table.columns.size());
  for (const auto& [name, column] : table.columns) {
    to.text(name);
    to.number(column.index());
    std::visit([&to](const auto& values) { send(to, values); }, column);
  }
}

Categorical receive_categorical(Receiver& from, size_t rows) {
  Categorical c;
  c.codes = from.array<int32_t>();
  c.categories = from.texts();
  c.ordered = from.number() == 1;
  if (c.codes.size() != rows) throw ChildDied();
  for (const int32_t code : c.codes)
    if (code < -1 || code >= static_cast<int64_t>(c.categories.size())) throw ChildDied();
  return c;
}

template <class T>
std::vector<T> of_length(std::vector<T> values, size_t rows) {
  if (values.size() != rows) throw ChildDied();
  return values;
}

Column receive_column(Receiver& from, size_t rows) {
  switch (from.number()) {
    case 0:
      return of_length(from.array<double>(), rows);
    case 1:
      return of_length(from.array<int64_t>(), rows);
    case 2:
      return of_length(from.texts(), rows);
    case 3:
      return receive_categorical(from, rows);
    case 4: {
      const std::vector<uint8_t> bytes = of_length(from.array<uint8_t>(), rows);
      return std::vector<bool>(bytes.begin(), bytes.end());
    }
    default:
      throw ChildDied();
  }
}

AnnTable receive_table(Receiver& from) {
  AnnTable out;
  out.names = from.texts();
  for (size_t left = from.count(1); left > 0; --left) {
    const std::string name = from.text();
    out.columns.emplace_back(name, receive_column(from, out.names.size()));
  }
  return out;
}

// What every user of a CsrMatrix relies on.
bool whole(const CsrMatrix& m) {
  if (m.rows < 0 || m.columns < 0 || m.indptr.size() != static_cast<size_t>(m.rows) + 1 ||
      m.indices.size() != m.values.size() || m.indptr.front() != 0 ||
      m.indptr.back() != static_cast<int64_t>(m.values.size()) ||
      !std::is_sorted(m.indptr.begin(), m.indptr.end()))
    return false;
  for (size_t i = 0; i + 1 < m.indptr.size(); ++i)
    for (auto e = static_cast<size_t>(m.indptr[i]); e < static_cast<size_t>(m.indptr[i + 1]); ++e)
      if (m.indices[e] < 0 || m.indices[e] >= m.columns ||
          (e > static_cast<size_t>(m.indptr[i]) && m.indices[e] <= m.indices[e - 1]))
        return false;
  return true;
}

}  // namespace

void send_rows(Sender& to, const CsrMatrix& x) {
  to.number(static_cast<uint64_t>(x.rows));
  to.array(x.values);
  to.array(x.indices);
  to.array(x.indptr);
}

CsrMatrix receive_rows(Receiver& from, int64_t columns) {
  CsrMatrix out;
  out.rows = static_cast<int64_t>(from.count(1));
  out.columns = columns;
  out.values = from.array<float>();
  out.indices = from.array<int32_t>();
  out.indptr = from.array<int64_t>();
  if (!whole(out)) throw ChildDied();
  return out;
}

void send_head(Sender& to, const SingleCells& cells) {
  to.text(cells.matrix);
  send(to, cells.obs);
  send(to, cells.var);
  to.number(cells.obsm.size());
  for (const auto& [name, m] : cells.obsm) {
    to.text(name);
    to.number(static_cast<uint64_t>(m.columns));
    to.array(m.values);
  }
  to.number(cells.stored.size());
  for (const StoredMatrix& m : cells.stored) {
    to.text(m.name);
    to.text(m.kind);
    to.number(static_cast<uint64_t>(m.rows));
    to.number(static_cast<uint64_t>(m.columns));
  }
  to.texts(cells.notes);
}

SingleCells receive_head(Receiver& from) {
  SingleCells out;
  out.matrix = from.text();
  out.obs = receive_table(from);
  out.var = receive_table(from);
  const auto cells = static_cast<int64_t>(out.obs.names.size());
  if (!out.matrix.empty()) {
    out.x.rows = cells;
    out.x.columns = static_cast<int64_t>(out.var.names.size());
  }
  for (size_t left = from.count(1); left > 0; --left) {
    const std::string name = from.text();
    const auto columns = static_cast<int64_t>(from.count(1));
    DenseMatrix m{cells, columns, from.array<float>()};
    if (m.values.size() != static_cast<uint64_t>(cells) * static_cast<uint64_t>(columns))
      throw ChildDied();
    out.obsm[name] = std::move(m);
  }
  for (size_t left = from.count(1); left > 0; --left) {
    StoredMatrix m{from.text(), from.text(), 0, 0};
    m.rows = static_cast<int64_t>(from.number());
    m.columns = static_cast<int64_t>(from.number());
    out.stored.push_back(m);
  }
  out.notes = from.texts();
  return out;
}

}  // namespace cytograd::io
