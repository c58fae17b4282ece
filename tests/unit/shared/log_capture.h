/* log_capture.h: what this process logs, in memory. For tests of what is said. */
#ifndef GATEHOUSE_TESTS_UNIT_SHARED_LOG_CAPTURE_H
#define GATEHOUSE_TESTS_UNIT_SHARED_LOG_CAPTURE_H

#include "shared/log.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char captured[32768];
static int saved_stderr, log_file;

static inline int capture_begin(void **state)
{
    (void)state;
    saved_stderr = dup(STDERR_FILENO);
    log_file = memfd_create("log", 0);
    log_identify("worker", 2);
    log_configure(LOG_INFO, LOG_TEXT);
    return log_reopen(dup(log_file));
}

static inline int capture_end(void **state)
{
    (void)state;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(log_file);
    return 0;
}

/* What was logged since capture_begin. */
static inline const char *logged(void)
{
    ssize_t size = pread(log_file, captured, sizeof(captured) - 1, 0);

    assert_true(size >= 0);
    captured[size] = '\0';
    return captured;
}

/* How often it says so. */
static inline unsigned logged_count(const char *words)
{
    unsigned count = 0;

    for (const char *at = logged(); (at = strstr(at, words)) != NULL; at++)
        count++;
    return count;
}

#endif
