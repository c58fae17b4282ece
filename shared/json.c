#include "shared/json.h"

#include "shared/buffer.h"
#include "shared/json_number.h"
#include "shared/json_text.h"

#include <errno.h>

/* What comes next in the text; the containers around it are a stack of bits (1: object). */
enum json_state {
    JSON_AT_VALUE,
    JSON_AT_FIRST_ELEMENT, /* or ] */
    JSON_AT_FIRST_NAME,    /* or } */
    JSON_AT_NAME,
    JSON_AFTER_VALUE,
};

struct json_scan {
    const char *at;
    const char *end;
    const char *reason;
    uint64_t objects;
    unsigned depth;
    enum json_state state;
};

_Static_assert(JSON_DEPTH_MAX <= 64, "the stack of containers is one 64-bit word");

static bool json_fail(struct json_scan *scan, const char *reason)
{
    scan->reason = reason;
    return false;
}

static const char *json_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* Checks a string whose opening quote is at scan->at. */
static bool json_scan_string(struct json_scan *scan, bool *escaped)
{
    const char *at = scan->at + 1;
    char decoded[JSON_TEXT_PIECE];

    *escaped = false;
    for (;;) {
        at = json_text_skip_plain(at, scan->end);
        if (at == scan->end)
            return json_fail(scan, "a string does not end");
        if (*at == '"') {
            scan->at = at + 1;
            return true;
        }
        if (*at == '\\') {
            *escaped = true;
            if (json_text_unescape(&at, scan->end, decoded) == 0)
                return json_fail(scan, "an escape in a string is not valid");
        } else if ((unsigned char)*at < 0x20) {
            return json_fail(scan, "a control character in a string is not escaped");
        } else {
            size_t size = json_text_utf8(at, scan->end);

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

static bool json_scan_word(struct json_scan *scan, const char *word)
{
    struct slice expected = slice_from(word);

    if (!slice_has_prefix(slice_make(scan->at, (size_t)(scan->end - scan->at)), expected))
        return json_fail(scan, "not a JSON value");
    scan->at += expected.size;
    return true;
}

/* The kind of value that a byte begins. */
static enum json_kind json_kind_of(char first)
{
    switch (first) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return first == '-' || (first >= '0' && first <= '9') ? JSON_NUMBER : JSON_INVALID;
    }
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
        return json_scan_word(scan, "true");
    case JSON_FALSE:
        return json_scan_word(scan, "false");
    case JSON_NULL:
        return json_scan_word(scan, "null");
    default:
        return json_fail(scan, "not a JSON value");
    }
}

static bool json_open(struct json_scan *scan, bool object)
{
    if (scan->depth == JSON_DEPTH_MAX)
        return json_fail(scan, "nested too deeply");
    scan->depth++;
    scan->objects = scan->objects << 1 | (object ? 1 : 0);
    scan->state = object ? JSON_AT_FIRST_NAME : JSON_AT_FIRST_ELEMENT;
    scan->at++;
    return true;
}

static bool json_close(struct json_scan *scan)
{
    scan->depth--;
    scan->objects >>= 1;
    scan->state = JSON_AFTER_VALUE;
    scan->at++;
    return true;
}

static bool json_step_value(struct json_scan *scan, bool *escaped)
{
    enum json_kind kind = json_kind_of(*scan->at);

    if (kind == JSON_OBJECT || kind == JSON_ARRAY)
        return json_open(scan, kind == JSON_OBJECT);
    scan->state = JSON_AFTER_VALUE;
    return json_scan_scalar(scan, kind, escaped);
}

static bool json_step_name(struct json_scan *scan)
{
    bool escaped;

    if (*scan->at != '"')
        return json_fail(scan, "a member name is missing");
    if (!json_scan_string(scan, &escaped))
        return false;
    scan->at = json_skip_space(scan->at, scan->end);
    if (scan->at == scan->end || *scan->at != ':')
        return json_fail(scan, "a colon is missing after a member name");
    scan->at++;
    scan->state = JSON_AT_VALUE;
    return true;
}

static bool json_step_after(struct json_scan *scan)
{
    bool object = (scan->objects & 1) != 0;

    if (*scan->at == (object ? '}' : ']'))
        return json_close(scan);
    if (*scan->at != ',')
        return json_fail(scan, "a comma or the end of an object or array is missing");
    scan->at++;
    scan->state = object ? JSON_AT_NAME : JSON_AT_VALUE;
    return true;
}

/* One step: a scalar, a name with its colon, a comma, or the begin or end of a container. */
static bool json_step(struct json_scan *scan, bool *escaped)
{
    scan->at = json_skip_space(scan->at, scan->end);
    if (scan->at == scan->end)
        return json_fail(scan, "the text ends too early");
    switch (scan->state) {
    case JSON_AT_FIRST_ELEMENT:
        return *scan->at == ']' ? json_close(scan) : json_step_value(scan, escaped);
    case JSON_AT_VALUE:
        return json_step_value(scan, escaped);
    case JSON_AT_FIRST_NAME:
        return *scan->at == '}' ? json_close(scan) : json_step_name(scan);
    case JSON_AT_NAME:
        return json_step_name(scan);
    default:
        return json_step_after(scan);
    }
}

static bool json_scan_text(struct json_scan *scan, struct json_value *out)
{
    const char *begin;
    bool escaped = false;

    if (scan->end - scan->at >= 3 && memcmp(scan->at, "\xef\xbb\xbf", 3) == 0)
        return json_fail(scan, "begins with a byte order mark");
    scan->at = json_skip_space(scan->at, scan->end);
    if (scan->at == scan->end)
        return json_fail(scan, "there is no JSON value");
    begin = scan->at;
    do {
        if (!json_step(scan, &escaped))
            return false;
    } while (scan->depth > 0 || scan->state != JSON_AFTER_VALUE);
    out->kind = json_kind_of(*begin);
    out->text = slice_make(begin, (size_t)(scan->at - begin));
    out->escaped = out->kind == JSON_STRING && escaped;
    if (json_skip_space(scan->at, scan->end) != scan->end)
        return json_fail(scan, "something follows the JSON value");
    return true;
}

int json_parse(struct slice text, struct json_value *out, const char **reason)
{
    struct json_scan scan = {.at = text.data, .state = JSON_AT_VALUE};

    *out = (struct json_value){0};
    if (text.size == 0) {
        *reason = "there is no JSON value";
        return -EINVAL;
    }
    scan.end = text.data + text.size;
    if (json_scan_text(&scan, out))
        return 0;
    *out = (struct json_value){0};
    *reason = scan.reason;
    return -EINVAL;
}

/* Past the closing quote of a string that was checked before; `at` is the opening one. */
static const char *json_skip_string(const char *at, const char *end, bool *escaped)
{
    *escaped = false;
    at++;
    while (at < end) {
        at = json_text_skip_plain(at, end);
        if (at == end)
            break;
        if (*at == '"')
            return at + 1;
        if (*at == '\\') {
            *escaped = true;
            at += end - at > 1 ? 2 : 1;
        } else {
            at++;
        }
    }
    return end;
}

/* Past the end of a container that was checked before. */
static const char *json_skip_container(const char *at, const char *end)
{
    size_t depth = 0;
    bool escaped;

    while (at < end) {
        if (*at == '"') {
            at = json_skip_string(at, end, &escaped);
            continue;
        }
        if (*at == '{' || *at == '[')
            depth++;
        else if (*at == '}' || *at == ']')
            depth--;
        at++;
        if (depth == 0)
            break;
    }
    return at;
}

static const char *json_skip_word(const char *at, const char *end)
{
    while (at < end && *at != ',' && *at != '}' && *at != ']' && *at != ' ' && *at != '\t' &&
           *at != '\n' && *at != '\r')
        at++;
    return at;
}

/* The value at `at`, of text that was checked before. */
static const char *json_skip_value(const char *at, const char *end, struct json_value *value)
{
    const char *begin = at;

    value->kind = json_kind_of(*at);
    value->escaped = false;
    if (value->kind == JSON_OBJECT || value->kind == JSON_ARRAY)
        at = json_skip_container(at, end);
    else if (value->kind == JSON_STRING)
        at = json_skip_string(at, end, &value->escaped);
    else
        at = json_skip_word(at, end);
    value->text = slice_make(begin, (size_t)(at - begin));
    return at;
}

void json_iterate(struct json_iterator *iterator, const struct json_value *container)
{
    bool walkable = container->kind == JSON_OBJECT || container->kind == JSON_ARRAY;

    *iterator = (struct json_iterator){.object = container->kind == JSON_OBJECT};
    if (!walkable || container->text.size < 2)
        return;
    iterator->next = container->text.data + 1;
    iterator->end = container->text.data + container->text.size - 1;
}

int json_next(struct json_iterator *iterator, struct slice *name, bool *name_escaped,
              struct json_value *value)
{
    const char *end = iterator->end;
    const char *at;
    bool escaped = false;

    if (iterator->next == NULL)
        return 0;
    at = json_skip_space(iterator->next, end);
    if (at < end && *at == ',')
        at = json_skip_space(at + 1, end);
    if (at < end && iterator->object) {
        const char *begin = at;

        at = json_skip_string(at, end, &escaped);
        if (name != NULL)
            *name = slice_make(begin + 1, at - begin < 2 ? 0 : (size_t)(at - begin) - 2);
        at = json_skip_space(at, end);
        at = json_skip_space(at < end ? at + 1 : end, end);
    }
    if (at >= end) {
        iterator->next = NULL;
        return 0;
    }
    if (name_escaped != NULL)
        *name_escaped = escaped;
    iterator->next = json_skip_value(at, end, value);
    if (value->kind == JSON_INVALID) {
        iterator->next = NULL;
        return 0;
    }
    iterator->count++;
    return 1;
}

static bool json_text_equal(struct json_text a, struct json_text b)
{
    char decoded[JSON_NAME_MAX];
    long size;

    if (!b.escaped)
        return json_text_is(a, b.raw);
    if (!a.escaped)
        return json_text_is(b, a.raw);
    size = json_text_decode(b, decoded, sizeof(decoded));
    return size >= 0 && json_text_is(a, slice_make(decoded, (size_t)size));
}

struct json_names {
    size_t count;
    uint32_t hashes[JSON_MEMBERS_MAX];
    struct json_text texts[JSON_MEMBERS_MAX];
};

/* -EINVAL when the name was there before, is too long, or is one too many. */
static int json_names_add(struct json_names *names, struct json_text text)
{
    uint32_t hash;

    if (names->count == JSON_MEMBERS_MAX || text.raw.size > JSON_NAME_MAX)
        return -EINVAL;
    hash = json_text_hash(text);
    for (size_t i = 0; i < names->count; i++) {
        if (names->hashes[i] == hash && json_text_equal(names->texts[i], text))
            return -EINVAL;
    }
    names->hashes[names->count] = hash;
    names->texts[names->count] = text;
    names->count++;
    return 0;
}

int json_members(const struct json_value *object, const char *const *names, size_t count,
                 struct json_value *out)
{
    struct json_iterator iterator;
    struct json_names seen;
    struct json_text name;
    struct json_value value;

    for (size_t i = 0; i < count; i++)
        out[i] = (struct json_value){0};
    if (object->kind != JSON_OBJECT)
        return -EINVAL;
    seen.count = 0;
    json_iterate(&iterator, object);
    while (json_next(&iterator, &name.raw, &name.escaped, &value) == 1) {
        if (json_names_add(&seen, name) != 0)
            return -EINVAL;
        for (size_t i = 0; i < count; i++) {
            if (json_text_is(name, slice_from(names[i])))
                out[i] = value;
        }
    }
    return 0;
}

/* The inside of a string value; false for any other value. */
static bool json_text_of(const struct json_value *value, struct json_text *out)
{
    if (value->kind != JSON_STRING || value->text.size < 2)
        return false;
    out->raw = slice_make(value->text.data + 1, value->text.size - 2);
    out->escaped = value->escaped;
    return true;
}

long json_string(const struct json_value *value, char *out, size_t room)
{
    struct json_text text;

    if (!json_text_of(value, &text))
        return -EINVAL;
    return json_text_decode(text, out, room);
}

bool json_string_is(const struct json_value *value, struct slice text)
{
    struct json_text inside;

    return json_text_of(value, &inside) && json_text_is(inside, text);
}

int json_integer(const struct json_value *value, int64_t *out)
{
    if (value->kind != JSON_NUMBER)
        return -EINVAL;
    return json_number_integer(value->text, out);
}

int json_numeric_date(const struct json_value *value, int64_t *out)
{
    if (value->kind != JSON_NUMBER)
        return -EINVAL;
    return json_number_date(value->text, out);
}

/* The escape of a byte that cannot stand in a string as it is; its size. */
static size_t json_escape(char c, char out[8])
{
    static const char letters[] = "\b\f\n\r\t\"\\";
    static const char names[] = "bfnrt\"\\";
    const char *found = memchr(letters, c, sizeof(letters) - 1);

    out[0] = '\\';
    if (found != NULL) {
        out[1] = names[found - letters];
        return 2;
    }
    memcpy(out + 1, "u00", 3);
    out[4] = "0123456789abcdef"[(unsigned char)c >> 4];
    out[5] = "0123456789abcdef"[(unsigned char)c & 0xf];
    return 6;
}

/* What is no plain ASCII at *at: an escape, a UTF-8 sequence, or U+FFFD for a byte of none. */
static int json_append_special(struct buffer *out, const char **at, const char *end)
{
    char escape[8];
    size_t size;
    int error;

    if ((unsigned char)**at < 0x80) {
        error = buffer_append(out, escape, json_escape(**at, escape));
        size = 1;
    } else {
        size = json_text_utf8(*at, end);
        error = size > 0 ? buffer_append(out, *at, size) : buffer_append_text(out, "\xef\xbf\xbd");
        size = size > 0 ? size : 1;
    }
    *at += size;
    return error;
}

int json_append_string(struct buffer *out, struct slice text)
{
    size_t before = buffer_size(out);
    const char *at = text.data;
    const char *end = text.size == 0 ? at : at + text.size;
    int error = buffer_append(out, "\"", 1);

    while (error == 0 && at < end) {
        const char *plain = json_text_skip_plain(at, end);

        error = buffer_append(out, at, (size_t)(plain - at));
        at = plain;
        if (error == 0 && at < end)
            error = json_append_special(out, &at, end);
    }
    if (error == 0)
        error = buffer_append(out, "\"", 1);
    if (error != 0)
        out->end = out->start + before;
    return error;
}
