/* Any bytes, whole and in pieces of a size that the first byte says, are the same events; what
 * comes out is what went in; and a slow reading by the book finds the same data. */
#include "worker/event_stream.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void note(struct buffer *data, struct buffer *bytes, const struct event *event)
{
    if (event->has_data) {
        buffer_append(data, "", 1);
        buffer_append_slice(data, event->data);
    }
    buffer_append_slice(bytes, event->bytes);
}

/* An event with its own data put in again has the same data. */
static void replace(const struct event *event)
{
    struct event_stream stream = {.limit = SIZE_MAX};
    struct buffer out = {0};
    struct slice rest = slice_from("\n"); /* amid a stream, a byte order mark is none */
    struct event again;

    check(event_stream_next(&stream, &rest, &again) == 1);
    check(event_replace(&out, event, event->data) == 0);
    rest = slice_skip(buffer_slice(&out), event->skip);
    if (event->has_data && event_stream_next(&stream, &rest, &again) == 1) {
        check(again.has_data && slice_equal(again.data, event->data));
        check(rest.size == 0);
    }
    event_stream_free(&stream);
    buffer_free(&out);
}

static void cut(struct slice text, size_t step, struct buffer *data, struct buffer *bytes)
{
    struct event_stream stream = {.limit = SIZE_MAX};
    struct event event;

    for (size_t at = 0; at < text.size; at += step) {
        struct slice input =
            slice_make(text.data + at, text.size - at < step ? text.size - at : step);

        while (event_stream_next(&stream, &input, &event) == 1) {
            note(data, bytes, &event);
            replace(&event);
        }
    }
    if (event_stream_end(&stream, &event) == 1)
        note(data, bytes, &event);
    event_stream_free(&stream);
}

/* The book's own way, line by line; the last event counts even when nothing ends it. */
static void by_the_book(struct slice text, struct buffer *data)
{
    struct buffer value = {0};
    bool any = false;
    size_t at = text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    while (at <= text.size) {
        size_t end = at;
        size_t colon;

        while (end < text.size && text.data[end] != '\n' && text.data[end] != '\r')
            end++;
        for (colon = at; colon < end && text.data[colon] != ':';)
            colon++;
        if (end > at && colon - at == 4 && memcmp(text.data + at, "data", 4) == 0) {
            size_t from = colon < end ? colon + 1 : end;

            from += from < end && text.data[from] == ' ' ? 1 : 0;
            if (any)
                buffer_append(&value, "\n", 1);
            buffer_append(&value, text.data + from, end - from);
            any = true;
        }
        if ((end == at || end >= text.size) && any) {
            buffer_append(data, "", 1);
            buffer_append_slice(data, buffer_slice(&value));
            buffer_clear(&value);
            any = false;
        }
        at = end + 1;
        if (end + 1 < text.size && text.data[end] == '\r' && text.data[end + 1] == '\n')
            at++;
    }
    buffer_free(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct buffer data[3] = {{0}};
    struct buffer bytes[2] = {{0}};
    struct slice text;

    if (size < 2)
        return 0;
    text = slice_make((const char *)input + 1, size - 1);
    cut(text, text.size, &data[0], &bytes[0]);
    cut(text, (size_t)(input[0] % 16) + 1, &data[1], &bytes[1]);
    by_the_book(text, &data[2]);
    check(slice_equal(buffer_slice(&bytes[0]), text));
    check(slice_equal(buffer_slice(&bytes[1]), text));
    check(slice_equal(buffer_slice(&data[0]), buffer_slice(&data[1])));
    check(slice_equal(buffer_slice(&data[0]), buffer_slice(&data[2])));
    for (size_t i = 0; i < 3; i++)
        buffer_free(&data[i]);
    for (size_t i = 0; i < 2; i++)
        buffer_free(&bytes[i]);
    return 0;
}
