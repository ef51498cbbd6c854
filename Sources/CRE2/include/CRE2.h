#ifndef CRE2_H
#define CRE2_H

#include <stddef.h>
#include <stdint.h>

/* Regular expressions over RE2, whose API is C++: matched in time that grows with the text alone. */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lyco_regex lyco_regex;

enum {
  LYCO_REGEX_ANYWHERE = 0,
  LYCO_REGEX_FROM_START = 1,
  LYCO_REGEX_WHOLE = 2,
};

/* Compiles an expression in RE2's syntax, UTF-8. NULL where it cannot be, and why in `message`, which
   ends with a zero. `memory` bounds in bytes what the expression may take. */
lyco_regex *lyco_regex_compile(const char *expression, size_t length, int64_t memory, char *message,
                               size_t capacity);

void lyco_regex_free(lyco_regex *regex);

/* Instructions of the compiled expression. */
int lyco_regex_size(const lyco_regex *regex);

/* 1 where the text has a match. Safe to be called by several threads at a time. */
int lyco_regex_matches(const lyco_regex *regex, const char *text, size_t length, int anchor);

#ifdef __cplusplus
}
#endif

#endif
