#include "cytograd/io/single_cells.h"

#include <utility>

#include "io/cell_file.h"
#include "io/h5ad_child.h"
#include "io/single_cells_pipe.h"

namespace cytograd {

using namespace io;

SingleCells read_single_cells(const std::string& path, const std::string& matrix,
                              const TakeCells& take) {
  SingleCells out;
  const auto send = [&](Sender& to) {
    const CellFile file = open_cells(path, matrix);
    to.part();
    send_head(to, file.head);
    std::vector<std::string> notes;
    if (file.rows)
      file.rows(
          [&to](const CsrMatrix& rows) {
            to.part();
            to.number(1);
            send_rows(to, rows);
          },
          notes);
    to.part();
    to.number(0);
    to.texts(notes);
  };
  const auto receive = [&](Receiver& from) {
    from.part();
    out = receive_head(from);
    int64_t first = 0;
    for (from.part(); from.number() == 1; from.part()) {
      CsrMatrix rows = receive_rows(from, out.x.columns);
      const int64_t count = rows.rows;
      if (count > out.x.rows - first) throw ChildDied();
      take(out, first, std::move(rows));
      first += count;
    }
    if (first != out.x.rows) throw ChildDied();
    for (std::string& note : from.texts()) out.notes.push_back(std::move(note));
  };
  read_in_child(path, send, receive);
  return out;
}

SingleCells read_single_cells(const std::string& path, const std::string& matrix) {
  CsrMatrix all;
  all.indptr.push_back(0);
  SingleCells out =
      read_single_cells(path, matrix, [&all](const SingleCells&, int64_t first, CsrMatrix rows) {
        if (first == 0)
          all = std::move(rows);
        else
          append_rows(all, rows);
      });
  all.rows = out.x.rows;
  all.columns = out.x.columns;
  if (!out.matrix.empty()) out.x = std::move(all);
  return out;
}

}  // namespace cytograd
