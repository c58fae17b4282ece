/* connect_header.h: the header lines that repeat what a message says, for servers of 2026-07-28.
 * Pure: appends to a buffer.
 *
 * The other direction of mcp_header.h and mcp_param.h: those compare, this writes. Called by
 * connect_call.c.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_HEADER_H
#define GATEHOUSE_WORKER_CONNECT_HEADER_H

#include "shared/buffer.h"
#include "worker/mcp_message.h"
#include "worker/tool_schema.h"

/* Appends a text as a header's value: as it is where a header can hold it, else, and where it looks
 * like the sentinel itself, `=?base64?...?=`. 0 or -ENOMEM. */
int connect_header_value(struct buffer *out, struct slice text);

/* Appends MCP-Protocol-Version, Mcp-Method, Mcp-Name and Mcp-Param-..., each line with its CRLF, of
 * a message with `meta_version`. `schema`: of the tool that it calls, NULL when not known. 0,
 * -ENOMEM, or -EINVAL when a string in it cannot be read. */
int connect_header_repeat(struct buffer *out, const struct mcp_message *message,
                          const struct tool_schema *schema);

#endif
