/* demo_message.h: one JSON-RPC message of a client of the demo server, judged by its era's rules.
 * Pure: knows neither sessions nor sockets.
 *
 * Legacy: revisions up to 2025-11-25, which begin with `initialize`. Modern: 2026-07-28, where
 * every message says its revision in `_meta`, and headers repeat what the body says.
 */
#ifndef GATEHOUSE_WORKER_DEMO_MESSAGE_H
#define GATEHOUSE_WORKER_DEMO_MESSAGE_H

#include "shared/json.h"
#include "worker/http_head.h"

#define DEMO_VERSION_MODERN "2026-07-28"
#define DEMO_VERSION_LEGACY "2025-11-25" /* the newest that begins with initialize */

/* Codes of JSON-RPC 2.0, of MCP 2026-07-28 (-3202x), and of the SDKs' servers (-3200x). */
enum demo_code {
    DEMO_PARSE_ERROR = -32700,
    DEMO_INVALID_REQUEST = -32600,
    DEMO_METHOD_NOT_FOUND = -32601,
    DEMO_INVALID_PARAMS = -32602,
    DEMO_INTERNAL_ERROR = -32603,
    DEMO_REFUSED = -32000,
    DEMO_SESSION_NOT_FOUND = -32001,
    DEMO_RESOURCE_NOT_FOUND = -32002,
    DEMO_HEADER_MISMATCH = -32020,
    DEMO_UNSUPPORTED_VERSION = -32022,
};

struct demo_error {
    unsigned status; /* of HTTP */
    enum demo_code code;
    const char *message;    /* a literal */
    struct slice requested; /* JSON text of the version asked for, with UNSUPPORTED_VERSION */
};

enum demo_kind { DEMO_REQUEST, DEMO_NOTIFICATION, DEMO_RESPONSE };

/* Slices are borrowed from the body. */
struct demo_message {
    enum demo_kind kind;
    bool modern;
    struct slice id; /* JSON text of a string or integer; empty when there is none */
    struct json_value method;
    struct json_value params; /* an object, or JSON_INVALID */
    struct json_value progress_token;
};

/* `request`: NULL over stdio, where there are no headers to agree with. false with *error when the
 * message is refused; message->id is then set if it could be read. */
bool demo_message_read(const struct http_request *request, struct slice body,
                       struct demo_message *message, struct demo_error *error);

/* Whether a revision is one that begins with initialize. */
bool demo_version_is_legacy(struct slice version);

/* For what reads a message: sets *error and is false. */
bool demo_refuse(struct demo_error *error, unsigned status, enum demo_code code,
                 const char *message);

#endif
