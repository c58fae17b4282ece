/* tool_schema.h: which of a tool's arguments its calls repeat in headers, read from a tools/list
 * result. Pure: no allocation.
 *
 * MCP 2026-07-28 (streamable HTTP, custom headers from tool parameters): a property of inputSchema
 * with "x-mcp-header": "Region" has its value repeated in Mcp-Param-Region. The list comes from a
 * server, and is read as strictly as a message from a client: one pass, bounded, nothing that could
 * be understood in two ways. Made for tool_table.c; compared with calls by mcp_param.c.
 */
#ifndef GATEHOUSE_WORKER_TOOL_SCHEMA_H
#define GATEHOUSE_WORKER_TOOL_SCHEMA_H

#include "shared/json_scan.h"

#include <stdint.h>

/* Generous for what people write; a tool with more is not checked by us (its server does). */
enum {
    TOOL_PARAMS_MAX = 16,  /* annotated properties of one tool */
    TOOL_PATH_MAX = 8,     /* names from the arguments to a property */
    TOOL_TEXT_MAX = 1536,  /* bytes of all names of one tool, decoded */
    TOOL_LIST_MAX = 10000, /* tools of one list that are looked at */
};

/* A name in tool_schema.text. */
struct tool_name {
    uint16_t at, size;
};

struct tool_param {
    struct tool_name header; /* behind "Mcp-Param-" */
    struct tool_name path[TOOL_PATH_MAX];
    size_t depth; /* names in path; at least one */
};

enum tool_kind {
    TOOL_PLAIN,     /* repeats nothing in headers */
    TOOL_ANNOTATED, /* `params` say what */
    TOOL_UNKNOWN,   /* not valid by the specification, ambiguous, or too large */
};

/* Holds no pointer into itself: may be copied. */
struct tool_schema {
    enum tool_kind kind;
    struct tool_name name; /* size 0: it has none that could be read */
    struct tool_param params[TOOL_PARAMS_MAX];
    size_t param_count;
    char text[TOOL_TEXT_MAX];
    size_t text_size;
};

/* Borrowed from the schema. */
struct slice tool_schema_text(const struct tool_schema *schema, struct tool_name name);

/* Called for each tool; the schema is borrowed for the call. */
typedef void (*tool_visit)(void *context, const struct tool_schema *schema);
/* The tools of a tools/list result (the object's JSON text). 0, or -EINVAL when it is no such
 * result: `visit` may have been called for tools before the fault. */
int tool_list_read(struct slice result, tool_visit visit, void *context);

#endif
