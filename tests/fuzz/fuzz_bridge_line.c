/* Any bytes, in pieces that the first byte sizes: no line is longer than the limit, none holds a
 * line break, and those that fit are what a plain split finds. */
#include "worker/bridge_line.h"

#include <stdint.h>
#include <stdlib.h>

enum { LIMIT = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

/* The next line of a plain split that is not too long. false: none is complete. */
static bool split(struct slice *rest, struct slice *line)
{
    const char *end;

    while (rest->size > 0 && (end = memchr(rest->data, '\n', rest->size)) != NULL) {
        *line = slice_make(rest->data, (size_t)(end - rest->data));
        *rest = slice_skip(*rest, line->size + 1);
        if (line->size <= LIMIT)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bridge_lines lines = {.limit = LIMIT};
    struct slice all, rest, line, expected;
    size_t step;

    if (size == 0)
        return 0;
    step = (size_t)data[0] % 50 + 1;
    all = rest = slice_make((const char *)data + 1, size - 1);
    while (all.size > 0) {
        struct slice input = slice_make(all.data, all.size < step ? all.size : step);
        enum bridge_line found;

        all = slice_skip(all, input.size);
        while ((found = bridge_line_next(&lines, &input, &line)) != BRIDGE_LINE_MORE) {
            if (found == BRIDGE_LINE_LONG)
                continue;
            check(split(&rest, &expected) && slice_equal(line, expected));
        }
        check(input.size == 0 && buffer_size(&lines.part) <= LIMIT);
    }
    check(!split(&rest, &expected));
    bridge_line_free(&lines);
    return 0;
}
