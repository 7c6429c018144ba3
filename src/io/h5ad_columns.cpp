#include "io/h5ad_columns.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>

#include "cytograd/core/error.h"
#include "io/cell_file.h"

namespace cytograd::io {
namespace {

size_t length_of(const Hdf5Reader& file, const std::string& place) {
  const std::vector<hsize_t> shape = file.shape(place);
  if (shape.size() != 1) unknown_form(place, "no list", "one value per row");
  return static_cast<size_t>(shape[0]);
}

H5Id type_of(const H5Id& set, const std::string& member, const std::string& place) {
  H5Id type(H5Dget_type(set), H5Tclose, "type");
  if (member.empty()) return type;
  const int at =
      H5Tget_class(type) == H5T_COMPOUND ? H5Tget_member_index(type, member.c_str()) : -1;
  if (at < 0) h5ad_fault(place, "no column " + member, "one");
  return {H5Tget_member_type(type, static_cast<unsigned>(at)), H5Tclose, "type"};
}

// Values in the memory type `native`, of the array or of one member of its compounds.
void read_into(const H5Id& set, const std::string& member, hid_t native, void* to,
               const std::string& place) {
  if (member.empty()) {
    if (H5Dread(set, native, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) >= 0) return;
  } else {
    const H5Id one(H5Tcreate(H5T_COMPOUND, H5Tget_size(native)), H5Tclose, "type");
    if (H5Tinsert(one, member.c_str(), 0, native) >= 0 &&
        H5Dread(set, one, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) >= 0)
      return;
  }
  h5ad_fault(place, "data that cannot be read", "a whole array", "copy the file again");
}

std::vector<std::string> read_texts(const H5Id& set, const std::string& member, const H5Id& type,
                                    size_t count, const std::string& place) {
  std::vector<std::string> out;
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> texts(count);
    read_into(set, member, type, texts.data(), place);
    for (char* text : texts) {
      out.emplace_back(text ? text : "");
      H5free_memory(text);
    }
    return out;
  }
  const size_t width = H5Tget_size(type);
  if (width == 0 || count > (size_t{1} << 34) / width)
    h5ad_fault(place, "strings that are too long", "less than 16 GiB");
  std::string bytes(width * count, '\0');
  read_into(set, member, type, bytes.data(), place);
  for (size_t i = 0; i < count; ++i)
    out.emplace_back(bytes.data() + i * width, strnlen(bytes.data() + i * width, width));
  return out;
}

template <class T>
std::vector<T> missing_as(std::vector<T> values, const std::vector<bool>& mask, T missing) {
  for (size_t i = 0; i < values.size(); ++i)
    if (mask[i]) values[i] = missing;
  return values;
}

// A group {values, mask}, mask true where there is nothing.
Column read_nullable(const Hdf5Reader& file, const std::string& place) {
  const Column values = read_column(file, place + "/values"),
               masks = read_column(file, place + "/mask");
  const auto* mask = std::get_if<std::vector<bool>>(&masks);
  if (!mask || mask->size() != rows_in(values))
    h5ad_fault(place + "/mask", "another type or length", "one flag per value");
  if (const auto* whole = std::get_if<std::vector<int64_t>>(&values)) {
    const std::vector<double> reals(whole->begin(), whole->end());
    return missing_as(reals, *mask, std::numeric_limits<double>::quiet_NaN());
  }
  if (const auto* reals = std::get_if<std::vector<double>>(&values))
    return missing_as(*reals, *mask, std::numeric_limits<double>::quiet_NaN());
  Categorical out;
  if (const auto* flags = std::get_if<std::vector<bool>>(&values)) {
    out.categories = {"False", "True"};
    for (const bool flag : *flags) out.codes.push_back(flag);
  } else {
    out = from_texts(std::get<std::vector<std::string>>(values));
  }
  out.codes = missing_as(out.codes, *mask, -1);
  return out;
}

Column read_group(const Hdf5Reader& file, const std::string& place) {
  if (file.has(place + "/codes")) {
    Categorical out = with_codes(file, place + "/codes", place + "/categories");
    out.ordered = file.flag_attribute(place, "ordered");
    return out;
  }
  if (file.has(place + "/values")) return read_nullable(file, place);
  unknown_form(place, encoding_of(file, place), "categories, or values with a mask");
}

void add_column(AnnTable& table, const std::string& place, const std::string& name,
                std::vector<std::string>& notes, const std::function<Column()>& read) {
  try {
    table.columns.emplace_back(escape_control(name), read());
  } catch (const UnknownForm& e) {
    notes.push_back(place + "/" + escape_control(name) + " is left out: " + e.fault().found);
  }
}

AnnTable compound_table(const Hdf5Reader& file, const std::string& place,
                        std::vector<std::string>& notes) {
  const std::vector<std::string> names = members(file, place);
  if (names.empty()) h5ad_fault(place, "no table", "columns");
  std::string index = names.front();
  for (const char* usual : {"index", "_index"})
    if (std::find(names.begin(), names.end(), usual) != names.end()) index = usual;
  const Column rows = read_column(file, place, index);
  const auto* texts = std::get_if<std::vector<std::string>>(&rows);
  if (!texts) h5ad_fault(place, "no names of rows", "strings");
  AnnTable out{*texts, {}};
  for (const std::string& name : names) {
    if (name == index) continue;
    add_column(out, place, name, notes, [&]() -> Column {
      Column values = read_column(file, place, name);
      const std::string categories = "uns/" + name + "_categories";
      const auto* codes = std::get_if<std::vector<int64_t>>(&values);
      if (!codes || !file.has(categories)) return values;
      Categorical c;
      c.categories = file.strings(categories);
      for (const int64_t code : *codes) {
        if (code < -1 || code >= static_cast<int64_t>(c.categories.size()))
          h5ad_fault(place, "code " + std::to_string(code), "one of " + categories);
        c.codes.push_back(static_cast<int32_t>(code));
      }
      return c;
    });
  }
  return out;
}

}  // namespace

std::string encoding_of(const Hdf5Reader& file, const std::string& place) {
  const std::string version = file.attribute(place, "encoding-version");
  return "encoding \"" + file.attribute(place, "encoding-type") + "\"" +
         (version.empty() ? "" : " version " + version);
}

Categorical with_codes(const Hdf5Reader& file, const std::string& codes,
                       const std::string& categories) {
  Categorical out;
  const Column values = read_column(file, categories);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&values)) {
    out.categories = *texts;
  } else if (const auto* whole = std::get_if<std::vector<int64_t>>(&values)) {
    for (const int64_t v : *whole) out.categories.push_back(std::to_string(v));
  } else if (const auto* flags = std::get_if<std::vector<bool>>(&values)) {
    for (const bool v : *flags) out.categories.emplace_back(v ? "True" : "False");
  } else {
    unknown_form(categories, "categories that are fractions", "strings or whole numbers");
  }
  for (const int64_t code : file.integers(codes)) {
    if (code < -1 || code >= static_cast<int64_t>(out.categories.size()))
      h5ad_fault(codes, "code " + std::to_string(code),
                 "-1 to " + std::to_string(static_cast<int64_t>(out.categories.size()) - 1));
    out.codes.push_back(static_cast<int32_t>(code));
  }
  return out;
}

Categorical from_texts(const std::vector<std::string>& texts) {
  Categorical out;
  std::map<std::string, int32_t> codes;
  for (const std::string& text : texts) {
    const auto [at, added] = codes.try_emplace(text, static_cast<int32_t>(codes.size()));
    if (added) out.categories.push_back(text);
    out.codes.push_back(at->second);
  }
  return out;
}

Column read_column(const Hdf5Reader& file, const std::string& place, const std::string& member) {
  const size_t count = length_of(file, place);
  const H5Id set = file.dataset(place);
  const H5Id type = type_of(set, member, place);
  switch (H5Tget_class(type)) {
    case H5T_STRING:
      return read_texts(set, member, type, count, place);
    case H5T_FLOAT: {
      std::vector<double> out(count);
      read_into(set, member, H5T_NATIVE_DOUBLE, out.data(), place);
      return out;
    }
    case H5T_INTEGER: {
      std::vector<int64_t> out(count);
      read_into(set, member, H5T_NATIVE_INT64, out.data(), place);
      return out;
    }
    case H5T_ENUM: {  // h5py's true and false
      if (H5Tget_size(type) != 1) break;
      std::vector<char> bytes(count);
      read_into(set, member, type, bytes.data(), place);
      std::vector<bool> out;
      for (const char byte : bytes) out.push_back(byte != 0);
      return out;
    }
    default:
      break;
  }
  unknown_form(place, "values of another type", "strings, numbers or flags");
}

std::vector<std::string> members(const Hdf5Reader& file, const std::string& place) {
  const H5Id set = file.dataset(place);
  const H5Id type(H5Dget_type(set), H5Tclose, "type");
  std::vector<std::string> out;
  if (H5Tget_class(type) != H5T_COMPOUND) return out;
  for (int i = 0; i < H5Tget_nmembers(type); ++i) {
    char* name = H5Tget_member_name(type, static_cast<unsigned>(i));
    out.emplace_back(name ? name : "");
    H5free_memory(name);
  }
  return out;
}

AnnTable read_table(const Hdf5Reader& file, const std::string& place,
                    std::vector<std::string>& notes) {
  if (!file.has(place)) h5ad_fault(place, "nothing of this name", "a table");
  if (!file.is_group(place)) return compound_table(file, place, notes);
  std::string index = file.attribute(place, "_index");
  if (index.empty()) index = "index";
  AnnTable out{file.strings(place + "/" + index), {}};
  for (const std::string& name :
       file.list_attribute(place, "column-order").value_or(file.children(place))) {
    if (name == index || name == "__categories") continue;
    const std::string here = place + "/" + name, legacy = place + "/__categories/" + name;
    add_column(out, place, name, notes, [&]() -> Column {
      if (file.is_group(here)) return read_group(file, here);
      if (!file.has(legacy)) return read_column(file, here);
      Categorical c = with_codes(file, here, legacy);
      c.ordered = file.flag_attribute(legacy, "ordered");
      return c;
    });
  }
  return out;
}

}  // namespace cytograd::io
