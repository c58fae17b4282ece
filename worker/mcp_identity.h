/* mcp_identity.h: what a server says of itself when a session begins, in one digest. Pure.
 *
 * Made of serverInfo and capabilities of an InitializeResult: whether another server can go on with
 * a session is whether it says the same (exchange_reopen.h). Two results are the same when they
 * mean the same: members in any order, with any white space and any escapes; the elements of arrays
 * in their order, numbers as they are spelled. Seldom made: once when a session of an app that asks
 * for it begins, and once when it is opened anew.
 */
#ifndef GATEHOUSE_WORKER_MCP_IDENTITY_H
#define GATEHOUSE_WORKER_MCP_IDENTITY_H

#include "shared/buffer.h"
#include "shared/digest.h"
#include "worker/mcp_result.h"

enum {
    MCP_IDENTITY_MAX = 64 * 1024, /* bytes of both: icons as data, and nobody's time to sort more */
    MCP_IDENTITY_DEPTH = 32,      /* containers around a value: less than json.h takes */
};

/* 64 digits. false: the result names not both, in a way that has one meaning, within these limits.
 */
bool mcp_identity_of(const struct mcp_result *result, char out[DIGEST_HEX_SIZE + 1]);

/* The value in its one spelling. 0; -EMSGSIZE beyond the depth or JSON_MEMBERS_MAX, -ENOMEM. */
int mcp_identity_spell(struct buffer *out, const struct json_value *value);

#endif
