#include "worker/bridge_line.h"

/* Keeps the begin of a line; false: it is too long. */
static bool line_keep(struct bridge_lines *lines, struct slice data)
{
    if (data.size <= lines->limit - buffer_size(&lines->part) &&
        buffer_append_slice(&lines->part, data) == 0)
        return true;
    buffer_free(&lines->part);
    return false;
}

enum bridge_line bridge_line_next(struct bridge_lines *lines, struct slice *input,
                                  struct slice *line)
{
    while (input->size > 0) {
        const char *end = memchr(input->data, '\n', input->size);
        size_t size = end == NULL ? input->size : (size_t)(end - input->data);
        struct slice data = slice_make(input->data, size);

        if (lines->given)
            buffer_free(&lines->part);
        lines->given = false;
        *input = slice_skip(*input, end == NULL ? size : size + 1);
        if (lines->skipping) {
            lines->skipping = end == NULL;
            continue;
        }
        if (end != NULL && buffer_size(&lines->part) == 0 && size <= lines->limit) {
            *line = data;
            return BRIDGE_LINE_FOUND;
        }
        if (!line_keep(lines, data)) {
            lines->skipping = end == NULL;
            return BRIDGE_LINE_LONG;
        }
        if (end != NULL) {
            *line = buffer_slice(&lines->part);
            lines->given = true;
            return BRIDGE_LINE_FOUND;
        }
    }
    return BRIDGE_LINE_MORE;
}

void bridge_line_free(struct bridge_lines *lines)
{
    buffer_free(&lines->part);
    lines->given = false;
}
