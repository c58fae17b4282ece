#include "shared/json_scan.h"

#include "shared/json_number.h"
#include "shared/json_plain.h"

#include <errno.h>

_Static_assert(JSON_DEPTH_MAX <= 64, "the stack of containers is one 64-bit word");

/* Seldom: kept out of what calls it, as is all that only odd texts need. */
static __attribute__((cold, noinline)) bool json_fail(struct json_scan *scan, const char *reason)
{
    if (scan->reason == NULL)
        scan->reason = reason;
    scan->at = scan->end;
    return false;
}

/* Most values follow each other without any. */
static inline const char *json_skip_space(const char *at, const char *end)
{
    if (at < end && (unsigned char)*at > ' ')
        return at;
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

enum json_string { JSON_STRING_BAD, JSON_STRING_PLAIN, JSON_STRING_ESCAPED };

/* The rest of a string, from a byte on that does not mean itself. */
static __attribute__((noinline)) enum json_string json_scan_special(struct json_scan *scan,
                                                                    const char *at)
{
    enum json_string string = JSON_STRING_PLAIN;
    const char *end = scan->end;
    char decoded[JSON_TEXT_PIECE];

    for (;; at = json_plain_skip(at, end)) {
        if (at == end)
            return json_fail(scan, "a string does not end");
        if (*at == '"') {
            scan->at = at + 1;
            return string;
        }
        if (*at == '\\') {
            string = JSON_STRING_ESCAPED;
            if (json_text_unescape(&at, end, decoded) == 0)
                return json_fail(scan, "an escape in a string is not valid");
        } else if ((unsigned char)*at < 0x20) {
            return json_fail(scan, "a control character in a string is not escaped");
        } else {
            size_t size = json_text_utf8(at, end);

            if (size == 0)
                return json_fail(scan, "a string is not valid UTF-8");
            at += size;
        }
    }
}

/* Checks a string whose opening quote is at scan->at. */
static inline enum json_string json_scan_string(struct json_scan *scan)
{
    const char *at = json_plain_skip(scan->at + 1, scan->end);

    if (at == scan->end || *at != '"')
        return json_scan_special(scan, at);
    scan->at = at + 1;
    return JSON_STRING_PLAIN;
}

static bool json_scan_number(struct json_scan *scan)
{
    const char *after = json_number_skip(scan->at, scan->end);

    if (after == NULL)
        return json_fail(scan, "a number is not valid");
    scan->at = after;
    return true;
}

static bool json_scan_word(struct json_scan *scan, struct slice word)
{
    if (!slice_has_prefix(slice_make(scan->at, (size_t)(scan->end - scan->at)), word))
        return json_fail(scan, "not a JSON value");
    scan->at += word.size;
    return true;
}

enum json_kind json_scan_kind(const struct json_scan *scan)
{
    static const unsigned char kinds[256] = {
        ['{'] = JSON_OBJECT, ['['] = JSON_ARRAY,  ['"'] = JSON_STRING, ['t'] = JSON_TRUE,
        ['f'] = JSON_FALSE,  ['n'] = JSON_NULL,   ['-'] = JSON_NUMBER, ['0'] = JSON_NUMBER,
        ['1'] = JSON_NUMBER, ['2'] = JSON_NUMBER, ['3'] = JSON_NUMBER, ['4'] = JSON_NUMBER,
        ['5'] = JSON_NUMBER, ['6'] = JSON_NUMBER, ['7'] = JSON_NUMBER, ['8'] = JSON_NUMBER,
        ['9'] = JSON_NUMBER,
    };

    if (scan->at >= scan->end)
        return JSON_INVALID;
    return (enum json_kind)kinds[(unsigned char)*scan->at];
}

/* A value that holds no others. */
static inline bool json_scan_scalar(struct json_scan *scan, enum json_kind kind)
{
    switch (kind) {
    case JSON_NUMBER:
        return json_scan_number(scan);
    case JSON_TRUE:
        return json_scan_word(scan, slice_from("true"));
    case JSON_FALSE:
        return json_scan_word(scan, slice_from("false"));
    case JSON_NULL:
        return json_scan_word(scan, slice_from("null"));
    default:
        return json_fail(scan,
                         scan->at == scan->end ? "the text ends too early" : "not a JSON value");
    }
}

/* After a value: to what follows. */
static inline void json_scan_passed(struct json_scan *scan)
{
    scan->first = false;
    scan->at = json_skip_space(scan->at, scan->end);
}

bool json_scan_begin(struct json_scan *scan, struct slice text)
{
    *scan = (struct json_scan){.at = text.data, .end = text.data};
    if (text.size > 0)
        scan->end += text.size;
    if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
        return json_fail(scan, "begins with a byte order mark");
    scan->at = json_skip_space(scan->at, scan->end);
    return scan->at < scan->end || json_fail(scan, "there is no JSON value");
}

static inline bool json_step_in(struct json_scan *scan)
{
    if (scan->depth == JSON_DEPTH_MAX)
        return json_fail(scan, "nested too deeply");
    scan->objects = scan->objects << 1 | (*scan->at == '{' ? 1 : 0);
    scan->depth++;
    scan->first = true;
    scan->at = json_skip_space(scan->at + 1, scan->end);
    return true;
}

bool json_scan_enter(struct json_scan *scan)
{
    return json_step_in(scan);
}

/* A member's name and its colon. */
static inline bool json_scan_name(struct json_scan *scan, struct json_text *name)
{
    const char *begin = scan->at, *end = scan->end;
    enum json_string string;
    const char *at;

    if (begin == end || *begin != '"')
        return json_fail(scan, "a member name is missing");
    string = json_scan_string(scan);
    if (string == JSON_STRING_BAD)
        return false;
    at = scan->at;
    if (name != NULL) {
        name->raw = slice_make(begin + 1, (size_t)(at - begin) - 2);
        name->escaped = string == JSON_STRING_ESCAPED;
    }
    at = json_skip_space(at, end);
    if (at == end || *at != ':')
        return json_fail(scan, "a colon is missing after a member name");
    scan->at = json_skip_space(at + 1, end);
    return true;
}

static inline int json_step(struct json_scan *scan, struct json_text *name)
{
    bool object = (scan->objects & 1) != 0;

    if (scan->at == scan->end) {
        json_fail(scan, "the text ends too early");
        return -EINVAL;
    }
    if (*scan->at == (object ? '}' : ']')) {
        scan->at++;
        scan->depth--;
        scan->objects >>= 1;
        json_scan_passed(scan);
        return 0;
    }
    if (!scan->first) {
        if (*scan->at != ',') {
            json_fail(scan, "a comma or the end of an object or array is missing");
            return -EINVAL;
        }
        scan->at = json_skip_space(scan->at + 1, scan->end);
    }
    return !object || json_scan_name(scan, name) ? 1 : -EINVAL;
}

int json_scan_next(struct json_scan *scan, struct json_text *name)
{
    return json_step(scan, name);
}

/* Passes the container that begins here, and all that it holds. */
static bool json_scan_container(struct json_scan *scan)
{
    unsigned outside = scan->depth;
    enum json_kind kind = json_scan_kind(scan);

    for (;;) {
        int next;

        if (kind == JSON_STRING) {
            if (json_scan_string(scan) == JSON_STRING_BAD)
                return false;
            json_scan_passed(scan);
        } else if (kind == JSON_OBJECT || kind == JSON_ARRAY) {
            if (!json_step_in(scan))
                return false;
        } else {
            if (!json_scan_scalar(scan, kind))
                return false;
            json_scan_passed(scan);
        }
        while ((next = json_step(scan, NULL)) == 0) {
            if (scan->depth == outside)
                return true;
        }
        if (next < 0)
            return false;
        kind = json_scan_kind(scan);
    }
}

bool json_scan_value(struct json_scan *scan, struct json_value *out)
{
    enum json_kind kind = json_scan_kind(scan);
    enum json_string string = JSON_STRING_PLAIN;
    const char *begin = scan->at;
    const char *after;

    if (kind == JSON_STRING) {
        string = json_scan_string(scan);
        if (string == JSON_STRING_BAD)
            return false;
        after = scan->at;
        json_scan_passed(scan);
    } else if (kind == JSON_OBJECT || kind == JSON_ARRAY) {
        if (!json_scan_container(scan))
            return false;
        after = scan->at;
        while (after[-1] != '}' && after[-1] != ']') /* the space that was skipped behind it */
            after--;
    } else {
        if (!json_scan_scalar(scan, kind))
            return false;
        after = scan->at;
        json_scan_passed(scan);
    }
    if (out != NULL)
        *out = (struct json_value){.kind = kind,
                                   .text = slice_make(begin, (size_t)(after - begin)),
                                   .escaped = string == JSON_STRING_ESCAPED};
    return true;
}

bool json_scan_end(struct json_scan *scan)
{
    return scan->reason == NULL &&
           (scan->at == scan->end || json_fail(scan, "something follows the JSON value"));
}
