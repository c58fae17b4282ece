/* bridge_stderr.h: what a stdio server writes to its standard error.
 *
 * Goes to the log, a bounded number of lines a second; the last lines are remembered, to explain a
 * crash. Never shown to a client. Called by bridge_server.c, which reads the pipe.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_STDERR_H
#define GATEHOUSE_WORKER_BRIDGE_STDERR_H

#include "worker/bridge_line.h"

#include <stdint.h>

enum {
    BRIDGE_STDERR_LINE = 1024, /* bytes of a line that are looked at */
    BRIDGE_STDERR_LAST = 8,    /* lines that are remembered */
};

struct bridge_stderr {
    const char *app; /* borrowed: the name, for the log */
    struct bridge_lines lines;
    unsigned room; /* lines that may be logged */
    double filled; /* seconds: when the room last grew */
    uint64_t dropped;
    char last[BRIDGE_STDERR_LAST][BRIDGE_STDERR_LINE / 4];
    uint64_t count; /* of all lines */
};

/* `now`: seconds, of any clock. */
void bridge_stderr_open(struct bridge_stderr *errors, const char *app, double now);
/* Forgets a line that has no end yet; the last ones stay. */
void bridge_stderr_free(struct bridge_stderr *errors);
/* Bytes of it. `server`: its number. */
void bridge_stderr_take(struct bridge_stderr *errors, struct slice input, uint64_t server,
                        double now);
/* Logs the last lines, under the id of its end. */
void bridge_stderr_last_words(const struct bridge_stderr *errors, uint32_t id);

#endif
