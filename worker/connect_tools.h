/* connect_tools.h: the tools whose calls repeat arguments in headers, as the server's lists told.
 *
 * Only of 2026-07-28. A tool that no list showed has its headers left out, and the server says so.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_TOOLS_H
#define GATEHOUSE_WORKER_CONNECT_TOOLS_H

#include "worker/tool_schema.h"

enum { CONNECT_TOOLS_MAX = 1024 /* of one server; about 3 MiB */ };

/* Zeroed: none. */
struct connect_tools {
    struct tool_schema **schemas; /* owned */
    size_t count;
};

/* A tools/list result: an object's JSON text. */
void connect_tools_learn(struct connect_tools *tools, struct slice result);
/* NULL: not known, or it repeats nothing. Borrowed until the next learn. */
const struct tool_schema *connect_tools_find(const struct connect_tools *tools,
                                             const struct json_value *name);
void connect_tools_free(struct connect_tools *tools);

#endif
