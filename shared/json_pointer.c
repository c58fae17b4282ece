#include "shared/json_pointer.h"

#include "shared/json_name.h"

#include <errno.h>

/* Decodes a token (RFC 6901, 4); its size or -EINVAL. */
static long pointer_decode(struct slice raw, char *out)
{
    size_t size = 0;

    for (size_t i = 0; i < raw.size; i++) {
        if (raw.data[i] != '~') {
            out[size++] = raw.data[i];
            continue;
        }
        i++;
        if (i == raw.size || (raw.data[i] != '0' && raw.data[i] != '1'))
            return -EINVAL;
        out[size++] = raw.data[i] == '0' ? '~' : '/';
    }
    return (long)size;
}

int json_pointer_read(struct json_pointer *out, struct slice text, char *room)
{
    out->count = 0;
    if (text.size == 0 || text.size > JSON_POINTER_SIZE_MAX || text.data[0] != '/')
        return -EINVAL;
    while (text.size > 0) {
        struct slice raw = slice_skip(text, 1);
        const char *end = raw.size == 0 ? NULL : memchr(raw.data, '/', raw.size);
        long size;

        if (end != NULL)
            raw.size = (size_t)(end - raw.data);
        size = pointer_decode(raw, room);
        if (size < 0 || out->count == JSON_POINTER_TOKENS_MAX)
            return -EINVAL;
        out->tokens[out->count++] = slice_make(room, (size_t)size);
        room += size;
        text = slice_skip(text, raw.size + 1);
    }
    return 0;
}

static enum json_pointer_answer pointer_member(const struct json_value *object, struct slice token,
                                               struct json_value *out)
{
    enum json_pointer_answer answer = JSON_POINTER_ABSENT;
    struct json_iterator iterator;
    struct json_names seen;
    struct json_text name;
    struct json_value value;

    seen.count = 0;
    json_iterate(&iterator, object);
    while (json_next(&iterator, &name.raw, &name.escaped, &value) == 1) {
        enum json_likeness likeness = json_name_likeness(name, token);

        if (likeness == JSON_NAME_ALIKE || json_names_add(&seen, name) != 0)
            return JSON_POINTER_DOUBT;
        if (likeness == JSON_NAME_EQUAL) {
            *out = value;
            answer = JSON_POINTER_FOUND;
        }
    }
    return answer;
}

/* The element of an array (RFC 6901, 4: digits without a leading zero). */
static enum json_pointer_answer pointer_element(const struct json_value *array, struct slice token,
                                                struct json_value *out)
{
    struct json_iterator iterator;
    size_t index = 0;

    if (token.size == 0 || token.size > 9 || (token.data[0] == '0' && token.size > 1))
        return JSON_POINTER_ABSENT;
    for (size_t i = 0; i < token.size; i++) {
        if (token.data[i] < '0' || token.data[i] > '9')
            return JSON_POINTER_ABSENT;
        index = index * 10 + (size_t)(token.data[i] - '0');
    }
    json_iterate(&iterator, array);
    while (json_next(&iterator, NULL, NULL, out) == 1)
        if (index-- == 0)
            return JSON_POINTER_FOUND;
    return JSON_POINTER_ABSENT;
}

enum json_pointer_answer json_pointer_find(const struct json_pointer *pointer,
                                           const struct json_value *root, struct json_value *out)
{
    struct json_value value = *root;

    for (size_t i = 0; i < pointer->count; i++) {
        enum json_pointer_answer answer = JSON_POINTER_ABSENT;
        struct json_value next;

        if (value.kind == JSON_OBJECT)
            answer = pointer_member(&value, pointer->tokens[i], &next);
        else if (value.kind == JSON_ARRAY)
            answer = pointer_element(&value, pointer->tokens[i], &next);
        if (answer != JSON_POINTER_FOUND)
            return answer;
        value = next;
    }
    *out = value;
    return JSON_POINTER_FOUND;
}
