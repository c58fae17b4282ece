#include "shared/json_scan.h"

#include "shared/json_number.h"

#include <errno.h>

_Static_assert(JSON_DEPTH_MAX <= 64, "the stack of containers is one 64-bit word");

static bool json_fail(struct json_scan *scan, const char *reason)
{
    if (scan->reason == NULL)
        scan->reason = reason;
    scan->at = scan->end;
    return false;
}

/* Most values follow each other without any. */
static inline void json_skip_space(struct json_scan *scan)
{
    const char *at = scan->at;

    if (at < scan->end && (unsigned char)*at > ' ')
        return;
    while (at < scan->end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    scan->at = at;
}

/* Checks a string whose opening quote is at scan->at. */
static inline bool json_scan_string(struct json_scan *scan, bool *escaped)
{
    const char *at = scan->at + 1;
    const char *end = scan->end;
    char decoded[JSON_TEXT_PIECE];

    *escaped = false;
    for (;;) {
        at = json_text_skip_plain(at, end);
        if (at == end)
            return json_fail(scan, "a string does not end");
        if (*at == '"') {
            scan->at = at + 1;
            return true;
        }
        if (*at == '\\') {
            *escaped = true;
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
static bool json_scan_scalar(struct json_scan *scan, enum json_kind kind, bool *escaped)
{
    switch (kind) {
    case JSON_STRING:
        return json_scan_string(scan, escaped);
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

bool json_scan_begin(struct json_scan *scan, struct slice text)
{
    *scan = (struct json_scan){.at = text.data, .end = text.data};
    if (text.size > 0)
        scan->end += text.size;
    if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
        return json_fail(scan, "begins with a byte order mark");
    json_skip_space(scan);
    return scan->at < scan->end || json_fail(scan, "there is no JSON value");
}

bool json_scan_enter(struct json_scan *scan)
{
    if (scan->depth == JSON_DEPTH_MAX)
        return json_fail(scan, "nested too deeply");
    scan->objects = scan->objects << 1 | (*scan->at == '{' ? 1 : 0);
    scan->depth++;
    scan->first = true;
    scan->at++;
    json_skip_space(scan);
    return true;
}

/* A member's name and its colon. */
static bool json_scan_name(struct json_scan *scan, struct json_text *name)
{
    const char *begin = scan->at;
    bool escaped;

    if (begin == scan->end || *begin != '"')
        return json_fail(scan, "a member name is missing");
    if (!json_scan_string(scan, &escaped))
        return false;
    if (name != NULL) {
        name->raw = slice_make(begin + 1, (size_t)(scan->at - begin) - 2);
        name->escaped = escaped;
    }
    json_skip_space(scan);
    if (scan->at == scan->end || *scan->at != ':')
        return json_fail(scan, "a colon is missing after a member name");
    scan->at++;
    json_skip_space(scan);
    return true;
}

int json_scan_next(struct json_scan *scan, struct json_text *name)
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
        scan->first = false;
        json_skip_space(scan);
        return 0;
    }
    if (!scan->first) {
        if (*scan->at != ',') {
            json_fail(scan, "a comma or the end of an object or array is missing");
            return -EINVAL;
        }
        scan->at++;
        json_skip_space(scan);
    }
    return !object || json_scan_name(scan, name) ? 1 : -EINVAL;
}

/* Passes the container that begins here, and all that it holds. */
static bool json_scan_container(struct json_scan *scan)
{
    unsigned outside = scan->depth;
    enum json_kind kind = json_scan_kind(scan);
    bool escaped;

    for (;;) {
        int next;

        if (kind == JSON_OBJECT || kind == JSON_ARRAY) {
            if (!json_scan_enter(scan))
                return false;
        } else {
            if (!json_scan_scalar(scan, kind, &escaped))
                return false;
            scan->first = false;
            json_skip_space(scan);
        }
        while ((next = json_scan_next(scan, NULL)) == 0) {
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
    const char *begin = scan->at;
    const char *after;
    bool escaped = false;

    if (kind == JSON_OBJECT || kind == JSON_ARRAY) {
        if (!json_scan_container(scan))
            return false;
        after = scan->at;
        while (after[-1] != '}' && after[-1] != ']') /* the space that was skipped behind it */
            after--;
    } else {
        if (!json_scan_scalar(scan, kind, &escaped))
            return false;
        after = scan->at;
        scan->first = false;
        json_skip_space(scan);
    }
    if (out != NULL)
        *out = (struct json_value){
            .kind = kind, .text = slice_make(begin, (size_t)(after - begin)), .escaped = escaped};
    return true;
}

bool json_scan_end(struct json_scan *scan)
{
    return scan->reason == NULL &&
           (scan->at == scan->end || json_fail(scan, "something follows the JSON value"));
}
