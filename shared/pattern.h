/* pattern.h: what a rule names: a literal, a glob with `*`, or ^regex$. The only file that knows
 * <pcre2.h>.
 *
 * Compiled once, when a policy set is made or a document is checked; matched often, in bounded time
 * and memory. Never compiles to machine code (workers map nothing executable). One thread at a
 * time: the memory that matching needs is the process's, made with the first regular expression.
 *
 * A `*` stands for any bytes, none too; nothing else is special. A regular expression is Perl's
 * (PCRE2) over UTF-8 and must match the whole subject; its `$` is the end, never a newline before
 * it.
 */
#ifndef GATEHOUSE_SHARED_PATTERN_H
#define GATEHOUSE_SHARED_PATTERN_H

#include "shared/slice.h"

enum {
    PATTERN_MAX = 1024,         /* bytes of a pattern */
    PATTERN_SUBJECT_MAX = 4096, /* bytes that a regular expression looks at: longer, it gives up */
    /* Steps of one match: well beyond what an expression that does not explode takes for the
     * longest subject, and a few milliseconds at most. */
    PATTERN_STEPS_MAX = 20000,
    PATTERN_MEMORY_MAX = 4096, /* KiB of one match */
    PATTERN_NESTING_MAX = 32,  /* parentheses within each other */
    PATTERN_REASON_MAX = 160,  /* bytes */
    /* Matches of one judgement that may give up: those after them give up at once. */
    PATTERN_GIVE_UPS_MAX = 8,
};

enum pattern_kind { PATTERN_LITERAL, PATTERN_ANY /* `*` */, PATTERN_GLOB, PATTERN_REGEX };

struct pattern {
    enum pattern_kind kind;
    struct slice text; /* borrowed, as long as the pattern */
    void *code;        /* owned; of a regular expression */
};

struct pattern_mistake {
    size_t offset; /* bytes into the text */
    char reason[PATTERN_REASON_MAX];
};

enum pattern_answer {
    PATTERN_NO,
    PATTERN_YES,
    PATTERN_GAVE_UP, /* a limit was hit: yes for who forbids, no for who allows */
};

enum pattern_kind pattern_kind_of(struct slice text);

/* `caseless` concerns regular expressions alone. 0; -EINVAL with *mistake: no such pattern;
 * -ENOMEM. `mistake` may be NULL. */
int pattern_make(struct pattern *out, struct slice text, bool caseless,
                 struct pattern_mistake *mistake);
void pattern_free(struct pattern *pattern);

/* *given_up counts over all matches of one judgement; begin with 0. */
enum pattern_answer pattern_match(const struct pattern *pattern, struct slice subject,
                                  unsigned *given_up);

#endif
