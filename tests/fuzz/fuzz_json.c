/* Any bytes: what json_parse accepts can be walked to its last leaf, and what is appended is
 * accepted again. */
#include "shared/buffer.h"
#include "shared/json.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

/* A decoded string, written again, is the same string. */
static void walk_string(const struct json_value *value)
{
    struct buffer decoded = {0}, again = {0};
    struct json_value parsed;
    const char *reason;
    size_t room;
    long size;

    check(buffer_reserve(&decoded, value->text.size) == 0);
    size = json_string(value, buffer_space(&decoded, &room), value->text.size);
    check(size >= 0);
    buffer_commit(&decoded, (size_t)size);
    check(json_string_is(value, buffer_slice(&decoded)));
    check(json_append_string(&again, buffer_slice(&decoded)) == 0);
    check(json_parse(buffer_slice(&again), &parsed, &reason) == 0);
    check(json_string_is(&parsed, buffer_slice(&decoded)));
    buffer_free(&decoded);
    buffer_free(&again);
}

static void walk(const struct json_value *value, int depth)
{
    static const char *const names[] = {"a", "iss", ""};
    struct json_value found[3], element, again;
    struct json_iterator iterator;
    const char *reason;
    struct slice name;
    int64_t number;
    bool escaped;

    check(depth <= JSON_DEPTH_MAX);
    check(json_parse(value->text, &again, &reason) == 0);
    check(again.kind == value->kind && slice_equal(again.text, value->text));
    json_integer(value, &number);
    json_numeric_date(value, &number);
    json_members(value, names, 3, found);
    if (value->kind == JSON_STRING)
        walk_string(value);
    json_iterate(&iterator, value);
    while (json_next(&iterator, &name, &escaped, &element) == 1)
        walk(&element, depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct buffer out = {0};
    struct json_value value;
    const char *reason = NULL;

    if (json_parse(text, &value, &reason) == 0)
        walk(&value, 0);
    else
        check(reason != NULL && value.kind == JSON_INVALID);
    check(json_append_string(&out, text) == 0);
    check(json_parse(buffer_slice(&out), &value, &reason) == 0);
    buffer_free(&out);
    return 0;
}
