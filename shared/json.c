#include "shared/json.h"

#include "shared/buffer.h"
#include "shared/json_name.h"
#include "shared/json_number.h"
#include "shared/json_plain.h"
#include "shared/json_scan.h"
#include "shared/json_text.h"

#include <errno.h>

int json_parse(struct slice text, struct json_value *out, const char **reason)
{
    struct json_scan scan;

    if (json_scan_begin(&scan, text) && json_scan_value(&scan, out) && json_scan_end(&scan))
        return 0;
    *out = (struct json_value){0};
    *reason = scan.reason;
    return -EINVAL;
}

static enum json_kind json_kind_at(const char *at, const char *end)
{
    return json_scan_kind(&(struct json_scan){.at = at, .end = end});
}

static const char *json_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* Past the closing quote of a string that was checked before; `at` is the opening one. */
static const char *json_skip_string(const char *at, const char *end, bool *escaped)
{
    *escaped = false;
    at++;
    while (at < end) {
        at = json_plain_skip(at, end);
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

    value->kind = json_kind_at(at, end);
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
            /* Most names differ in their first byte already. */
            if ((name.escaped || name.raw.size == 0 || name.raw.data[0] == names[i][0]) &&
                json_text_is(name, slice_from(names[i])))
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

int json_safe_integer(const struct json_value *value, int64_t *out)
{
    if (value->kind != JSON_NUMBER)
        return -EINVAL;
    return json_number_safe(value->text, out);
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
        const char *plain = json_plain_skip(at, end);

        error = buffer_append(out, at, (size_t)(plain - at));
        at = plain;
        if (error == 0 && at < end)
            error = json_append_special(out, &at, end);
    }
    if (error == 0)
        error = buffer_append(out, "\"", 1);
    if (error != 0)
        out->end = out->start + (uint32_t)before;
    return error;
}
