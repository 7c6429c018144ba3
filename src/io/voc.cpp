#include "cytograd/io/voc.h"

#include <algorithm>
#include <cmath>
#include <pugixml.hpp>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"

namespace cytograd {
namespace {

class VocReader {
 public:
  VocReader(std::string_view text, const std::string& name) : name_(name) {
    if (text.size() > max_voc_bytes)
      fail("", "annotation of " + std::to_string(text.size()) + " bytes",
           "at most " + std::to_string(max_voc_bytes));
    // Only the five predefined and numeric character references are replaced, in every mode of
    // pugixml; document types are parsed only to be refused.
    constexpr unsigned mode =
        pugi::parse_escapes | pugi::parse_eol | pugi::parse_cdata | pugi::parse_doctype;
    const auto result = document_.load_buffer(text.data(), text.size(), mode);
    if (!result)
      fail("byte " + std::to_string(result.offset),
           std::string("not valid XML: ") + result.description(), "a VOC annotation");
    check_tree();
  }

  VocAnnotation read() {
    const pugi::xml_node root = document_.child("annotation");
    if (!root) fail("", "no <annotation>", "a VOC annotation");
    VocAnnotation out;
    out.filename = root.child("filename").text().get();
    const pugi::xml_node size = root.child("size");
    if (size) {
      out.width = side(size, "width");
      out.height = side(size, "height");
    }
    for (const pugi::xml_node& node : root.children("object")) {
      place_ = "object " + std::to_string(out.objects.size() + 1);
      out.objects.push_back(object(node, out));
    }
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& place, const std::string& found,
                         const std::string& expected) const {
    throw DataError(
        {"ann.xml", name_, place, found, expected, "correct the annotation or leave it out"});
  }

  // Walks all nodes without recursion.
  void check_tree() const {
    int depth = 1;
    pugi::xml_node node = document_.first_child();
    while (node) {
      if (node.type() == pugi::node_doctype)
        fail("", "document type declaration", "none: entities are not expanded");
      if (node.first_child()) {
        if (++depth > max_xml_depth)
          fail("", "XML nested deeper than " + std::to_string(max_xml_depth), "");
        node = node.first_child();
        continue;
      }
      while (node && node != document_ && !node.next_sibling()) node = node.parent(), --depth;
      node = node && node != document_ ? node.next_sibling() : pugi::xml_node();
    }
  }

  double number(const pugi::xml_node& parent, const char* name) const {
    const std::string text(trim(parent.child(name).text().get()));
    const auto value = parse_double(text);
    // Larger values would lose single pixels in float32.
    if (!value || !std::isfinite(*value) || std::abs(*value) > 16'777'216)
      fail(place_, std::string(name) + " is \"" + text.substr(0, 60) + "\"", "a number of pixels");
    return *value;
  }

  int64_t side(const pugi::xml_node& size, const char* name) {
    place_ = "size";
    return std::max<int64_t>(static_cast<int64_t>(number(size, name)), 0);
  }

  VocObject object(const pugi::xml_node& node, const VocAnnotation& annotation) const {
    VocObject o;
    o.name = trim(node.child("name").text().get());
    if (o.name.empty()) fail(place_, "no name", "a class name");
    const pugi::xml_node box = node.child("bndbox");
    if (!box) fail(place_, "no bndbox", "xmin, ymin, xmax and ymax");
    const double x_min = number(box, "xmin"), y_min = number(box, "ymin");
    o.x2 = number(box, "xmax");
    o.y2 = number(box, "ymax");
    o.x1 = x_min - 1;
    o.y1 = y_min - 1;
    const bool outside =
        (annotation.width > 0 && o.x1 >= static_cast<double>(annotation.width)) ||
        (annotation.height > 0 && o.y1 >= static_cast<double>(annotation.height)) || o.x2 <= 0 ||
        o.y2 <= 0;
    o.degenerate = o.x2 <= x_min || o.y2 <= y_min || outside;
    o.difficult = std::string_view(trim(node.child("difficult").text().get())) == "1";
    o.truncated = std::string_view(trim(node.child("truncated").text().get())) == "1";
    return o;
  }

  const std::string& name_;
  std::string place_;
  pugi::xml_document document_;
};

}  // namespace

VocAnnotation parse_voc(std::string_view text, const std::string& name) {
  return VocReader(text, name).read();
}

VocAnnotation read_voc(const std::string& path) {
  return parse_voc(read_file(path, max_voc_bytes), path);
}

}  // namespace cytograd
