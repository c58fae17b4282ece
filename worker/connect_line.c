#include "worker/connect_line.h"

#include <errno.h>

/* The bytes stay where they are until more are appended: what was given out is good until then. */
static void lines_drop(struct connect_lines *lines, size_t size)
{
    buffer_consume(&lines->in, size);
    lines->scanned = 0;
}

static struct slice lines_trim(struct slice line)
{
    if (line.data != NULL && line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

int connect_lines_next(struct connect_lines *lines, struct slice *out)
{
    for (;;) {
        struct slice input = buffer_slice(&lines->in);
        struct slice rest = slice_skip(input, lines->scanned);
        const char *feed = rest.size == 0 ? NULL : memchr(rest.data, '\n', rest.size);
        size_t size;

        if (feed == NULL && lines->skipping) {
            lines_drop(lines, input.size);
            return 0;
        }
        if (feed == NULL) {
            lines->scanned = input.size;
            if (input.size <= CONNECT_LINE_MAX)
                return 0;
            lines_drop(lines, input.size);
            lines->skipping = true;
            return -EMSGSIZE;
        }
        size = (size_t)(feed - input.data);
        *out = lines_trim(slice_make(input.data, size));
        lines_drop(lines, size + 1);
        if (lines->skipping)
            lines->skipping = false;
        else if (size > CONNECT_LINE_MAX)
            return -EMSGSIZE;
        else if (out->size > 0)
            return 1;
    }
}

int connect_lines_end(struct connect_lines *lines, struct slice *out)
{
    *out = lines_trim(buffer_slice(&lines->in));
    return out->size > 0 && !lines->skipping;
}

void connect_lines_free(struct connect_lines *lines)
{
    buffer_free(&lines->in);
}

int connect_line_append(struct buffer *out, struct slice message)
{
    char *at;

    if (buffer_reserve(out, message.size + 1) != 0)
        return -ENOMEM;
    buffer_append_slice(out, message);
    at = buffer_data(out) + buffer_size(out) - message.size;
    for (size_t i = 0; i < message.size; i++)
        if (at[i] == '\n' || at[i] == '\r')
            at[i] = ' ';
    return buffer_append(out, "\n", 1);
}
