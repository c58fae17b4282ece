/* Any bytes: what json_parse accepts can be walked to its last leaf, and what is appended is
 * accepted again. */
#include "shared/buffer.h"
#include "shared/json_table.h"

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

/* A table takes what json_parse and json_members take, and has the same members. */
static void check_table(struct slice text)
{
    static const char *const names[] = {"a", "iss", ""};
    static struct json_table table;
    struct json_value found[3], object, again;
    const char *reason;
    bool taken = json_parse(text, &object, &reason) == 0 && object.kind == JSON_OBJECT &&
                 json_members(&object, names, 3, found) == 0;

    check((json_table_read(&table, text, &again) == 0) == taken);
    if (!taken)
        return;
    check(slice_equal(again.text, object.text));
    for (size_t i = 0; i < 3; i++) {
        struct json_value value = json_table_get(&table, slice_from(names[i]));

        check(value.kind == found[i].kind && value.escaped == found[i].escaped &&
              slice_equal(value.text, found[i].text));
    }
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
    check_table(text);
    check(json_append_string(&out, text) == 0);
    check(json_parse(buffer_slice(&out), &value, &reason) == 0);
    buffer_free(&out);
    return 0;
}
