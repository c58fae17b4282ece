/* What a client's lines and a server's answers may say to gatehouse connect: whatever it is, what
 * goes out is whole lines, and what is read lies within what was given. */
#include "worker/connect_event.h"
#include "worker/connect_header.h"
#include "worker/connect_line.h"
#include "worker/connect_message.h"
#include "worker/connect_refusal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static bool within(struct slice part, struct slice whole)
{
    return part.size == 0 ||
           (part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static void line(struct slice text)
{
    struct mcp_reader reader;
    struct mcp_message message;
    struct buffer out = {0};

    mcp_reader_begin(&reader, text, false);
    if (mcp_reader_next(&reader, &message) == 1 && message.meta_version.kind == JSON_STRING &&
        message.method.kind == JSON_STRING && connect_header_repeat(&out, &message, NULL) == 0) {
        for (size_t i = 0; i < buffer_size(&out); i++) {
            char c = buffer_data(&out)[i];

            check(c == '\t' || (c >= 0x20 && c < 0x7f) || c == '\r' || c == '\n');
            check(c != '\n' || buffer_data(&out)[i - 1] == '\r');
        }
    }
    buffer_free(&out);
}

static void lines(struct slice text)
{
    struct connect_lines split = {0};
    struct slice next;

    check(buffer_append_slice(&split.in, text) == 0);
    while (connect_lines_next(&split, &next) == 1) {
        check(next.size > 0 && memchr(next.data, '\n', next.size) == NULL);
        line(next);
    }
    connect_lines_free(&split);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct event event = {.bytes = text};
    struct connect_event fields;
    struct connect_message message;
    struct connect_refusal refusal = {.status = 403, .challenge = text};
    struct buffer out = {0};

    lines(text);
    connect_event_read(&event, &fields);
    check(within(fields.id, text));
    connect_message_read(text, &message);
    check(within(message.id, text) && within(message.error.text, text));
    check(within(connect_challenge(text, "scope"), text));
    check(connect_refusal_words(&out, &refusal) == 0);
    buffer_clear(&out);
    check(connect_line_append(&out, text) == 0);
    check(memchr(buffer_data(&out), '\n', buffer_size(&out)) ==
          buffer_data(&out) + buffer_size(&out) - 1);
    buffer_free(&out);
    return 0;
}
