/* mcp_session_record.h: an MCP session of an app's server, and whose it is.
 *
 * The value in `mcp_sessions`, keyed by app and session id. Servers take the id alone for proof; we
 * do not (MCP, security best practices: session hijacking). Of an app that asks for it
 * (on_endpoint_loss), it also holds what opens the session anew at another server, and what its
 * server calls it since: clients know it by its first id for ever.
 */
#ifndef GATEHOUSE_SHARED_MCP_SESSION_RECORD_H
#define GATEHOUSE_SHARED_MCP_SESSION_RECORD_H

#include "shared/buffer.h"
#include "shared/mcp_origin.h"
#include "shared/slice.h"

#include <stdint.h>

enum {
    MCP_SESSION_ID_MAX = 1024, /* bytes; visible ASCII */
    /* Bytes of an `initialize` that is recorded. Real ones take some hundred; icons of a client may
     * make one larger, and a million of those would fill the store. */
    MCP_SESSION_OPENING_MAX = 4096,
};

struct mcp_session_record {
    struct slice id;          /* as clients send it: the first server's own */
    struct mcp_origin origin; /* its server is the one that has the session now */
    struct slice version;     /* of the protocol, as its server named it; empty: it has not yet */
    int64_t birth;            /* of the app (app_record.h): a session ends with its app */
    int64_t created;          /* wall seconds */
    int64_t used;             /* wall seconds, some time ago at most (mcp_session_store.h) */
    struct slice opening;  /* the `initialize` that began it, as it was sent; empty: not recorded */
    struct slice identity; /* what its server said of itself (mcp_identity.h); empty: not known */
    struct slice upstream; /* the id that its present server knows it by; empty: `id` */
    int64_t reopened;      /* wall seconds; 0: its first server has it still */
};

/* Where a session is, and its name there. */
struct mcp_session_home {
    struct slice upstream; /* never empty */
    struct slice address;
    uint16_t port;
    uint64_t endpoint; /* as in mcp_origin.h */
};

int mcp_session_record_encode(const struct mcp_session_record *record, struct buffer *out);
/* 0 or -EBADMSG; slices are borrowed from the bytes. */
int mcp_session_record_decode(struct slice bytes, struct mcp_session_record *out);

/* Borrowed from the record. */
struct mcp_session_home mcp_session_record_home(const struct mcp_session_record *record);
bool mcp_session_home_equal(const struct mcp_session_home *a, const struct mcp_session_home *b);
/* Whether enough is recorded to open it at another server, and to compare that with the first. */
bool mcp_session_record_can_reopen(const struct mcp_session_record *record);

/* What a server may use for an id: 0x21 to 0x7e (2025-03-26 and later, transports). */
bool mcp_session_id_is_valid(struct slice id);

#endif
