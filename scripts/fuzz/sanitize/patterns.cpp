// Compiles regular expressions, whole and damaged in many ways, and matches names with them, under the sanitizers of
// scripts/fuzz/sanitize.sh. What is between quotes in the files that are given is taken for an expression and for a name.

#include "CRE2.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

static uint64_t state = 1;

static uint32_t draw(uint32_t bound) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>(state >> 33) % bound;
}

int main(int count, char **names) {
  const long rounds = std::atol(names[1]);
  std::vector<std::string> texts = {"", "(", "((((", "(a+)+$", "[[:alpha:]", "\\", "a{1,1000}{1,1000}", "(?i", "\\p{L}", "x*"};
  for (int i = 2; i < count; i++) {
    std::ifstream file(names[i], std::ios::binary);
    const std::string all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    for (size_t start = all.find('"'); start != std::string::npos;) {
      const size_t end = all.find('"', start + 1);
      if (end == std::string::npos) break;
      texts.push_back(all.substr(start + 1, end - start - 1));
      start = all.find('"', end + 1);
    }
  }
  static const char odd[] = "()[]{}*+?|\\^$.-,0123456789\xff\xc3\0a";
  long compiled = 0, refused = 0, matched = 0;
  for (const std::string &text : texts) {
    for (long round = 0; round <= rounds; round++) {
      std::string changed = text;
      for (uint32_t i = 0; round > 0 && i < 1 + draw(4); i++) {
        const size_t place = draw(static_cast<uint32_t>(changed.size()) + 1);
        switch (draw(3)) {
          case 0: changed.insert(place, 1, odd[draw(sizeof odd - 1)]); break;
          case 1: changed.erase(place, 1 + draw(3)); break;
          default: changed.insert(place, texts[draw(static_cast<uint32_t>(texts.size()))].substr(0, 40)); break;
        }
      }
      // The message may have any room, none included.
      char message[64];
      const size_t room = draw(sizeof message + 1);
      lyco_regex *regex = lyco_regex_compile(changed.data(), changed.size(), 1 << 20, message, room);
      if (!regex) {
        refused++;
        if (room > 0 && std::memchr(message, 0, room) == nullptr) std::abort();
        continue;
      }
      compiled++;
      if (lyco_regex_size(regex) < 0) std::abort();
      const std::string &name = texts[draw(static_cast<uint32_t>(texts.size()))];
      for (int anchor = LYCO_REGEX_ANYWHERE; anchor <= LYCO_REGEX_WHOLE; anchor++) {
        matched += lyco_regex_matches(regex, name.data(), name.size(), anchor);
      }
      lyco_regex_free(regex);
    }
  }
  std::printf("%ld expressions compiled, %ld refused, %ld matches\n", compiled, refused, matched);
  return compiled > 0 && refused > 0 && matched > 0 ? 0 : 1;
}
