#include "shared/pattern.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* The whole subject, as the ^ and $ around it promise; one newline is not its end. `\C` would see
 * half a character. */
#define PATTERN_OPTIONS                                                      \
    (PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY | \
     PCRE2_NEVER_BACKSLASH_C)

/* One match at a time needs this: see the header. */
static struct {
    pcre2_compile_context *compile;
    pcre2_match_context *match;
    pcre2_match_data *data;
} pattern_engine;

static bool pattern_engine_ready(void)
{
    if (pattern_engine.data != NULL)
        return true;
    if (pattern_engine.compile == NULL)
        pattern_engine.compile = pcre2_compile_context_create(NULL);
    if (pattern_engine.match == NULL)
        pattern_engine.match = pcre2_match_context_create(NULL);
    if (pattern_engine.compile == NULL || pattern_engine.match == NULL)
        return false;
    pcre2_set_parens_nest_limit(pattern_engine.compile, PATTERN_NESTING_MAX);
    pcre2_set_match_limit(pattern_engine.match, PATTERN_STEPS_MAX);
    pcre2_set_depth_limit(pattern_engine.match, PATTERN_STEPS_MAX);
    pcre2_set_heap_limit(pattern_engine.match, PATTERN_MEMORY_MAX);
    /* Where it matched is not asked for: one pair is enough. */
    pattern_engine.data = pcre2_match_data_create(1, NULL);
    return pattern_engine.data != NULL;
}

enum pattern_kind pattern_kind_of(struct slice text)
{
    if (text.size >= 2 && text.data[0] == '^' && text.data[text.size - 1] == '$')
        return PATTERN_REGEX;
    if (text.size == 0 || memchr(text.data, '*', text.size) == NULL)
        return PATTERN_LITERAL;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] != '*')
            return PATTERN_GLOB;
    return PATTERN_ANY;
}

static int pattern_mistaken(struct pattern_mistake *mistake, size_t offset, const char *reason)
{
    if (mistake != NULL) {
        mistake->offset = offset;
        snprintf(mistake->reason, sizeof(mistake->reason), "%s", reason);
    }
    return -EINVAL;
}

/* Past a character class; `at` is its '['. A ']' that comes first means itself. */
static size_t pattern_skip_class(struct slice text, size_t at)
{
    at++;
    if (at < text.size && text.data[at] == '^')
        at++;
    if (at < text.size && text.data[at] == ']')
        at++;
    while (at < text.size && text.data[at] != ']') {
        if (text.data[at] == '\\' || (text.data[at] == '[' && at + 1 < text.size &&
                                      memchr(":.=", text.data[at + 1], 3) != NULL))
            at++;
        at++;
    }
    return at + 1;
}

/* Where alternatives stand outside parentheses, or the text's size: ^a|b$ reads as if either had
 * both anchors, and has not in every engine. */
static size_t pattern_alternative(struct slice text)
{
    size_t depth = 0;
    size_t at = 0;

    while (at < text.size) {
        char byte = text.data[at];

        if (byte == '[') {
            at = pattern_skip_class(text, at);
            continue;
        }
        if (byte == '|' && depth == 0)
            return at;
        if (byte == '\\')
            at++;
        else if (byte == '(')
            depth++;
        else if (byte == ')' && depth > 0)
            depth--;
        at++;
    }
    return text.size;
}

static int pattern_compile(struct pattern *pattern, bool caseless, struct pattern_mistake *mistake)
{
    uint32_t options = PATTERN_OPTIONS | (caseless ? PCRE2_CASELESS : 0);
    size_t alternative = pattern_alternative(pattern->text);
    char reason[PATTERN_REASON_MAX];
    PCRE2_SIZE offset;
    int error;

    if (alternative < pattern->text.size)
        return pattern_mistaken(mistake, alternative,
                                "alternatives stand in parentheses, as in ^(a|b)$");
    if (!pattern_engine_ready())
        return -ENOMEM;
    pattern->code = pcre2_compile((PCRE2_SPTR)pattern->text.data, pattern->text.size, options,
                                  &error, &offset, pattern_engine.compile);
    if (pattern->code != NULL)
        return 0;
    if (error == PCRE2_ERROR_NOMEMORY)
        return -ENOMEM;
    pcre2_get_error_message(error, (PCRE2_UCHAR *)reason, sizeof(reason));
    return pattern_mistaken(mistake, offset, reason);
}

int pattern_make(struct pattern *out, struct slice text, bool caseless,
                 struct pattern_mistake *mistake)
{
    *out = (struct pattern){.kind = pattern_kind_of(text), .text = text};
    if (text.size == 0)
        return pattern_mistaken(mistake, 0, "is empty");
    if (text.size > PATTERN_MAX)
        return pattern_mistaken(mistake, PATTERN_MAX, "is longer than 1024 bytes");
    return out->kind == PATTERN_REGEX ? pattern_compile(out, caseless, mistake) : 0;
}

void pattern_free(struct pattern *pattern)
{
    pcre2_code_free(pattern->code);
    pattern->code = NULL;
}

/* Each part between stars at its first place: if any way fits, this one does. */
static bool pattern_glob(struct slice glob, struct slice subject)
{
    const char *star = memchr(glob.data, '*', glob.size);
    size_t head = (size_t)(star - glob.data);

    if (subject.size == 0)
        subject = slice_from("");
    if (!slice_has_prefix(subject, slice_make(glob.data, head)))
        return false;
    subject = slice_skip(subject, head);
    glob = slice_skip(glob, head + 1);
    while (glob.size > 0 && (star = memchr(glob.data, '*', glob.size)) != NULL) {
        size_t size = (size_t)(star - glob.data);
        const char *found =
            size == 0 ? subject.data : memmem(subject.data, subject.size, glob.data, size);

        if (found == NULL && size > 0)
            return false;
        if (size > 0)
            subject = slice_skip(subject, (size_t)(found - subject.data) + size);
        glob = slice_skip(glob, size + 1);
    }
    return subject.size >= glob.size &&
           slice_equal(slice_skip(subject, subject.size - glob.size), glob);
}

static enum pattern_answer pattern_regex(const struct pattern *pattern, struct slice subject)
{
    int status;

    if (subject.size > PATTERN_SUBJECT_MAX || !pattern_engine_ready())
        return PATTERN_GAVE_UP;
    status = pcre2_match(pattern->code, (PCRE2_SPTR)(subject.size == 0 ? "" : subject.data),
                         subject.size, 0, 0, pattern_engine.data, pattern_engine.match);
    if (status >= 0)
        return PATTERN_YES;
    return status == PCRE2_ERROR_NOMATCH ? PATTERN_NO : PATTERN_GAVE_UP;
}

enum pattern_answer pattern_match(const struct pattern *pattern, struct slice subject,
                                  unsigned *given_up)
{
    enum pattern_answer answer;

    switch (pattern->kind) {
    case PATTERN_ANY:
        return PATTERN_YES;
    case PATTERN_LITERAL:
        return slice_equal(pattern->text, subject) ? PATTERN_YES : PATTERN_NO;
    case PATTERN_GLOB:
        return pattern_glob(pattern->text, subject) ? PATTERN_YES : PATTERN_NO;
    case PATTERN_REGEX:
        break;
    }
    if (*given_up >= PATTERN_GIVE_UPS_MAX)
        return PATTERN_GAVE_UP;
    answer = pattern_regex(pattern, subject);
    if (answer == PATTERN_GAVE_UP)
        (*given_up)++;
    return answer;
}
