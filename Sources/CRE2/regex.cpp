#include "CRE2.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include <re2/re2.h>

struct lyco_regex {
  RE2 expression;

  lyco_regex(re2::StringPiece text, const RE2::Options &options) : expression(text, options) {}
};

static void tell(const std::string &text, char *message, size_t capacity) {
  if (capacity == 0) return;
  size_t length = std::min(text.size(), capacity - 1);
  std::memcpy(message, text.data(), length);
  message[length] = 0;
}

lyco_regex *lyco_regex_compile(const char *expression, size_t length, int64_t memory, char *message,
                               size_t capacity) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(memory);
  // Exceptions must not leave C++.
  try {
    auto regex =
        std::make_unique<lyco_regex>(re2::StringPiece(expression, length), options);
    if (regex->expression.ok()) return regex.release();
    tell(regex->expression.error(), message, capacity);
  } catch (const std::bad_alloc &) {
    tell("out of memory", message, capacity);
  }
  return nullptr;
}

void lyco_regex_free(lyco_regex *regex) { delete regex; }

int lyco_regex_size(const lyco_regex *regex) { return regex->expression.ProgramSize(); }

int lyco_regex_matches(const lyco_regex *regex, const char *text, size_t length, int anchor) {
  RE2::Anchor place = anchor == LYCO_REGEX_WHOLE        ? RE2::ANCHOR_BOTH
                      : anchor == LYCO_REGEX_FROM_START ? RE2::ANCHOR_START
                                                        : RE2::UNANCHORED;
  return regex->expression.Match(re2::StringPiece(text, length), 0, length, place, nullptr, 0);
}
