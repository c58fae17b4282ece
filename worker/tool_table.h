/* tool_table.h: the tools of each app whose calls repeat arguments in headers, as a worker has seen
 * them in tools/list results that passed through it.
 *
 * What one app's server says counts for that app alone. A list is hostile input: it is read
 * strictly (tool_schema.h), and what is kept of an app and of all is bounded; what finds no room is
 * not checked by us, but still by its server. Every worker learns for itself. Names of apps are
 * those of the catalog. Times are wall seconds.
 */
#ifndef GATEHOUSE_WORKER_TOOL_TABLE_H
#define GATEHOUSE_WORKER_TOOL_TABLE_H

#include "worker/tool_schema.h"

enum {
    TOOL_TABLE_APP_MAX = 64, /* tools kept of one app: one server cannot fill the table */
    TOOL_TABLE_MAX = 2048,   /* of all: about 5 MiB a worker */
    /* Lists of an app that are read in a period, so that a busy app's lists cost nothing, and one
     * that a client reads in pages is still read whole. */
    TOOL_TABLE_READS = 16,
    TOOL_TABLE_PERIOD = 60,
    /* A tool that no list has shown for as long is forgotten: its server may have changed it. */
    TOOL_TABLE_AGE = 300,
};

struct tool_table;

/* NULL: out of memory. */
struct tool_table *tool_table_make(void);
void tool_table_free(struct tool_table *table); /* NULL is ignored */

/* Whether a list of this app should be read now; counts it. */
bool tool_table_wants(struct tool_table *table, struct slice app, int64_t now);
/* A tools/list result (the object's JSON text) of this app. */
void tool_table_learn(struct tool_table *table, struct slice app, struct slice result, int64_t now);
/* A call did not agree with what we know: it may be out of date, and the next lists are read. */
void tool_table_doubt(struct tool_table *table, struct slice app);
/* The tool that a call names (a JSON string), when its calls repeat arguments; else NULL. Borrowed
 * until the next tool_table_learn. */
const struct tool_schema *tool_table_find(const struct tool_table *table, struct slice app,
                                          const struct json_value *tool, int64_t now);

#endif
