#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "cli/program.h"

namespace cytograd::cli {

Option Option::required() { return Option(*option_->required()); }

Option Option::range(int64_t least, int64_t most) {
  return Option(*option_->check(CLI::Range(least, most)));
}

Option Option::range(double least, double most) {
  return Option(*option_->check(CLI::Range(least, most)));
}

Option Option::positive() { return Option(*option_->check(CLI::PositiveNumber)); }
Option Option::non_negative() { return Option(*option_->check(CLI::NonNegativeNumber)); }

Option Option::one_of(const std::vector<std::string>& words) {
  return Option(*option_->check(CLI::IsMember(words)));
}

Option Option::show_default() { return Option(*option_->capture_default_str()); }
Option Option::default_text(const std::string& text) { return Option(*option_->default_str(text)); }
Option Option::group(const std::string& name) { return Option(*option_->group(name)); }
Option Option::type_name(const std::string& name) { return Option(*option_->type_name(name)); }
Option Option::description(const std::string& text) { return Option(*option_->description(text)); }
Option Option::envname(const std::string& name) { return Option(*option_->envname(name)); }
Option Option::delimiter(char separator) { return Option(*option_->delimiter(separator)); }
Option Option::expected(int least, int most) { return Option(*option_->expected(least, most)); }
Option Option::allow_extra_args(bool allow) { return Option(*option_->allow_extra_args(allow)); }
Option Option::take_last() { return Option(*option_->take_last()); }

Option CommandLine::add_option(const std::string& name, std::string& value,
                               const std::string& description) {
  return Option(*app_->add_option(name, value, description));
}

Option CommandLine::add_option(const std::string& name, int& value,
                               const std::string& description) {
  return Option(*app_->add_option(name, value, description));
}

Option CommandLine::add_option(const std::string& name, int64_t& value,
                               const std::string& description) {
  return Option(*app_->add_option(name, value, description));
}

Option CommandLine::add_option(const std::string& name, uint64_t& value,
                               const std::string& description) {
  return Option(*app_->add_option(name, value, description));
}

Option CommandLine::add_option(const std::string& name, double& value,
                               const std::string& description) {
  return Option(*app_->add_option(name, value, description));
}

Option CommandLine::add_option(const std::string& name, std::vector<std::string>& value,
                               const std::string& description) {
  return Option(*app_->add_option(name, value, description));
}

Option CommandLine::add_option(const std::string& name, std::optional<int64_t>& value,
                               const std::string& description) {
  return Option(*app_->add_option(name, value, description));
}

Option CommandLine::add_option_function(const std::string& name,
                                        std::function<void(const std::string&)> set,
                                        const std::string& description) {
  return Option(*app_->add_option_function(name, set, description));
}

Option CommandLine::add_option_function(const std::string& name,
                                        std::function<void(const std::vector<std::string>&)> set,
                                        const std::string& description) {
  return Option(*app_->add_option_function(name, set, description));
}

Option CommandLine::add_flag(const std::string& name, bool& value, const std::string& description) {
  return Option(*app_->add_flag(name, value, description));
}

Option CommandLine::add_flag(const std::string& name, int& value, const std::string& description) {
  return Option(*app_->add_flag(name, value, description));
}

Option CommandLine::add_flag(const std::string& name, std::function<void(int64_t)> set,
                             const std::string& description) {
  return Option(*app_->add_flag_function(name, std::move(set), description));
}

Option CommandLine::get_option(const std::string& name) { return Option(*app_->get_option(name)); }

CommandLine CommandLine::add_subcommand(const std::string& name, const std::string& description,
                                        const std::string& examples) {
  return CommandLine(*app_->add_subcommand(name, description)->footer(examples));
}

void CommandLine::require_subcommand(int count) { app_->require_subcommand(count); }

void CommandLine::callback(std::function<void()> run) { app_->callback(std::move(run)); }

std::string CommandLine::name() const { return app_->get_name(); }
std::string CommandLine::description() const { return app_->get_description(); }

CommandLine CommandLine::parent() const {
  CLI::App* parent = app_->get_parent();
  return parent ? CommandLine(*parent) : CommandLine();
}

std::vector<CommandLine> CommandLine::subcommands() const {
  std::vector<CommandLine> out;
  for (CLI::App* command : app_->get_subcommands([](CLI::App*) { return true; }))
    out.emplace_back(*command);
  return out;
}

bool CommandLine::given(const std::string& name) const { return app_->count(name) > 0; }

std::vector<std::string> CommandLine::option_names() const {
  std::vector<std::string> out;
  for (const CLI::Option* option : app_->get_options())
    for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
  return out;
}

std::vector<std::string> CommandLine::remaining() const { return app_->remaining(); }
std::string CommandLine::help(const std::string& above) const { return app_->help(above); }

namespace {

/// Help that begins with the examples (kept in the app's footer).
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(34); }

  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    if (mode == CLI::AppFormatMode::Sub) return make_expanded(app);
    std::string out;
    if (!app->get_footer().empty()) {
      out += "Examples:\n";
      const std::string examples = app->get_footer();
      std::string_view rest = examples;
      while (!rest.empty()) {
        const size_t end = std::min(rest.find('\n'), rest.size());
        out += "  " + std::string(rest.substr(0, end)) + "\n";
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
      out += "\n";
    }
    out += make_description(app) + make_usage(app, name);
    out += make_positionals(app) + make_groups(app, mode);
    out += make_subcommands(app, mode);
    return out;
  }
};

}  // namespace

Program::Program()
    : app_(std::make_unique<CLI::App>("Deep learning for single-cell hematology", "cyto")) {
  app_->formatter(std::make_shared<HelpFormatter>());
  app_->set_help_flag("-h,--help", "Show this help");
  app_->set_version_flag("--version", "", "Version, build and devices");
  app_->require_subcommand(0, 1);
  app_->footer(
      "cyto train --data photos/ --model resnet18 --output runs/first\n"
      "cyto help train\n");
}

Program::~Program() = default;

CommandLine Program::line() { return CommandLine(*app_); }

ParseResult Program::parse(const std::vector<std::string>& words) {
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    app_->parse(reversed);
  } catch (const CLI::CallForHelp&) {
    return {ParseEnd::help, ""};
  } catch (const CLI::CallForVersion&) {
    return {ParseEnd::version, ""};
  } catch (const CLI::ExtrasError& e) {
    return {ParseEnd::unknown_word, e.what()};
  } catch (const CLI::ParseError& e) {
    return {ParseEnd::wrong, e.what()};
  }
  return {ParseEnd::done, ""};
}

}  // namespace cytograd::cli
