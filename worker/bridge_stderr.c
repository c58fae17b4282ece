#include "worker/bridge_stderr.h"

#include "shared/log.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    STDERR_BURST = 20,  /* lines that are logged at once, and */
    STDERR_EVERY = 200, /* milliseconds after which one more may be */
};

void bridge_stderr_open(struct bridge_stderr *errors, const char *app, double now)
{
    *errors = (struct bridge_stderr){.app = app, .room = STDERR_BURST, .filled = now};
    errors->lines.limit = BRIDGE_STDERR_LINE;
}

void bridge_stderr_free(struct bridge_stderr *errors)
{
    bridge_line_free(&errors->lines);
}

static void stderr_remember(struct bridge_stderr *errors, struct slice line)
{
    snprintf(errors->last[errors->count % BRIDGE_STDERR_LAST], sizeof(errors->last[0]), "%.*s",
             (int)line.size, line.data);
    errors->count++;
}

static void stderr_fill(struct bridge_stderr *errors, double now)
{
    double more = (now - errors->filled) * 1000. / STDERR_EVERY;

    if (more < 1)
        return;
    errors->filled = now;
    errors->room =
        more + errors->room > STDERR_BURST ? STDERR_BURST : errors->room + (unsigned)more;
}

static void stderr_log(struct bridge_stderr *errors, struct slice line, uint64_t server, double now)
{
    stderr_fill(errors, now);
    if (errors->room == 0) {
        errors->dropped++;
        return;
    }
    errors->room--;
    if (errors->dropped > 0)
        log_info("server_stderr", "app %s, server %" PRIu64 ": %" PRIu64 " lines were left out",
                 errors->app, server, errors->dropped);
    errors->dropped = 0;
    log_info("server_stderr", "app %s, server %" PRIu64 ": %.*s", errors->app, server,
             (int)line.size, line.data);
}

void bridge_stderr_take(struct bridge_stderr *errors, struct slice input, uint64_t server,
                        double now)
{
    struct slice line;
    enum bridge_line found;

    while ((found = bridge_line_next(&errors->lines, &input, &line)) != BRIDGE_LINE_MORE) {
        if (found != BRIDGE_LINE_FOUND)
            line = slice_from("(a line that is too long)");
        stderr_remember(errors, line);
        stderr_log(errors, line, server, now);
    }
}

void bridge_stderr_last_words(const struct bridge_stderr *errors, uint32_t id)
{
    uint64_t first = errors->count < BRIDGE_STDERR_LAST ? 0 : errors->count - BRIDGE_STDERR_LAST;

    for (uint64_t n = first; n < errors->count; n++)
        log_error("server_last_words", "error id %08" PRIx32 ": %s", id,
                  errors->last[n % BRIDGE_STDERR_LAST]);
}
