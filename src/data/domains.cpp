#include "cytograd/data/domains.h"

#include <algorithm>

#include "cytograd/io/text.h"

namespace cytograd {

std::vector<DomainFacts> domain_facts(const Dataset& dataset) {
  std::vector<DomainFacts> out(dataset.domains.size());
  std::vector<std::vector<bool>> has(out.size(), std::vector<bool>(dataset.classes.size()));
  for (size_t d = 0; d < out.size(); ++d) {
    out[d].name = dataset.domains[d];
    out[d].stain = dataset.stain_of(d);
  }
  for (const Sample& s : dataset.samples) {
    const auto d = static_cast<size_t>(s.domain);
    DomainFacts& f = out[d];
    ++f.samples;
    has[d][static_cast<size_t>(s.label)] = true;
    if (!s.microns_per_pixel) {
      ++f.without_scale;
      continue;
    }
    f.scale_min = std::min(f.scale_min.value_or(*s.microns_per_pixel), *s.microns_per_pixel);
    f.scale_max = std::max(f.scale_max.value_or(*s.microns_per_pixel), *s.microns_per_pixel);
  }
  for (size_t d = 0; d < out.size(); ++d)
    out[d].classes = std::count(has[d].begin(), has[d].end(), true);
  return out;
}

std::vector<Note> domain_notes(const ClassTable& table) {
  Dataset holder;
  const auto pair = [&](size_t c, size_t d) {
    int64_t n = 0;
    for (size_t s = 0; s < table.splits.size(); ++s) n += table.at(c, d, s);
    return n;
  };
  if (table.domains.size() == 1)
    holder.add_note("domain.single", "one domain only: nothing to generalise over",
                    table.domains[0]);
  for (size_t d = 0; d < table.domains.size(); ++d) {
    int64_t classes = 0;
    for (size_t c = 0; c < table.classes.size(); ++c) {
      classes += pair(c, d) > 0;
      if (pair(c, d) == 1)
        holder.add_note("pair.single", "classes with a single sample in a domain",
                        table.domains[d] + "/" + table.classes[c]);
    }
    if (classes == 0) holder.add_note("domain.empty", "domains without a sample", table.domains[d]);
    if (classes == 1 && table.classes.size() > 1)
      holder.add_note("domain.one_class", "domains that have one class only", table.domains[d]);
  }
  for (size_t c = 0; c < table.classes.size() && table.domains.size() > 1; ++c) {
    int64_t domains = 0;
    std::string last;
    for (size_t d = 0; d < table.domains.size(); ++d)
      if (pair(c, d) > 0) {
        ++domains;
        last = table.domains[d];
      }
    if (domains == 1)
      holder.add_note("class.one_domain", "classes that one domain alone has",
                      table.classes[c] + " (" + last + ")");
  }
  return holder.notes;
}

void require_scale(const Dataset& dataset, double field_um) {
  if (!(field_um > 0)) return;
  std::string names;
  for (const DomainFacts& f : domain_facts(dataset))
    if (f.without_scale > 0)
      names += (names.empty() ? "" : ", ") + f.name + " (" + std::to_string(f.without_scale) +
               " of " + std::to_string(f.samples) + " images)";
  if (names.empty()) return;
  throw ConfigError(
      {"data.resolution", "", "", "unknown pixel size in " + names,
       "micrometres per pixel of every image for a field of " + format_double(field_um) + " um",
       "say it in a TOML list of domains, the column microns_per_pixel or "
       "--microns-per-pixel, or pass --field-um 0"});
}

}  // namespace cytograd
