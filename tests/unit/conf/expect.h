/* expect.h: diagnostics compared as the text that a user would see. For the tests of conf/. */
#ifndef GATEHOUSE_TESTS_CONF_EXPECT_H
#define GATEHOUSE_TESTS_CONF_EXPECT_H

#include "conf/diagnostic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* All diagnostics, sorted, a line each, are exactly `text`. Frees them. */
static inline void expect_diagnostics(struct diagnostics *diagnostics, const char *text)
{
    static char all[64 * 1024];
    size_t size = 0;

    diagnostics_sort(diagnostics);
    all[0] = '\0';
    for (size_t i = 0; i < diagnostics->count; i++) {
        diagnostic_format(&diagnostics->entries[i], all + size, sizeof(all) - size - 2);
        size += strlen(all + size);
        all[size++] = '\n';
        all[size] = '\0';
    }
    assert_string_equal(all, text);
    diagnostics_free(diagnostics);
}

/* One of the lines holds `text`. */
static inline void expect_mention(struct diagnostics *diagnostics, const char *text)
{
    char line[4096];

    for (size_t i = 0; i < diagnostics->count; i++) {
        diagnostic_format(&diagnostics->entries[i], line, sizeof(line));
        if (strstr(line, text) != NULL)
            return;
    }
    for (size_t i = 0; i < diagnostics->count; i++) {
        diagnostic_format(&diagnostics->entries[i], line, sizeof(line));
        print_error("%s\n", line);
    }
    fail_msg("no diagnostic says: %s", text);
}

static inline void expect_slice(struct slice slice, const char *text)
{
    if (!slice_is(slice, text))
        fail_msg("\"%.*s\" is not \"%s\"", (int)slice.size, slice.data == NULL ? "" : slice.data,
                 text);
}

#endif
