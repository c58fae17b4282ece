/* mcp_header.h: what MCP's request headers say, compared with a message. Pure.
 *
 * From 2026-07-28 on, clients repeat the method and its target in headers; a value that a header
 * cannot hold is `=?base64?...?=` around the base64 of its UTF-8.
 */
#ifndef GATEHOUSE_WORKER_MCP_HEADER_H
#define GATEHOUSE_WORKER_MCP_HEADER_H

#include "shared/json.h"
#include "worker/http_head.h"

/* Whether the header's value, decoded, is the JSON string, decoded. */
bool mcp_header_is(struct slice header, const struct json_value *value);

/* What the header stands for, into out[0..room). Its size; -EINVAL for bytes that must be encoded
 * and an encoding that is not canonical; -ENOSPC. */
long mcp_header_text(struct slice header, char *out, size_t room);

/* Whether the header tells of one message alone: what it is, and to which session it belongs. */
bool mcp_header_of_message(enum http_field field);

/* A name with '_' for '-' that some server would take for one of MCP's own headers, or for
 * Content-Type or Content-Encoding: true when the request has one. */
bool mcp_header_disguised(const struct http_request *request);

/* Content-Type of a message: application/json, in UTF-8. */
bool mcp_header_is_json(struct slice content_type);

#endif
