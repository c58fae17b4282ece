/* session_lookup.h: what a command must know of one session, read by a process that does nothing
 * else.
 *
 * Called by revoke_command. The sessions environment is opened (read-only) in a forked child, which
 * as root first becomes the environment's owner: the workers, who write it, must not be able to
 * harm a root process by it.
 */
#ifndef GATEHOUSE_MASTER_SESSION_LOOKUP_H
#define GATEHOUSE_MASTER_SESSION_LOOKUP_H

#include "shared/session_record.h"

struct session_lookup {
    char signing_input[DIGEST_HEX_SIZE + 1]; /* NUL-terminated; empty when it has none */
    int64_t ends; /* wall seconds after which neither the session nor its token is accepted */
};

/* `state_dir`: NUL-terminated. 0; -ENOENT: no such session; -EACCES: not for this user; others:
 * it could not be read. */
int session_lookup_find(const char *state_dir, struct slice id, struct session_lookup *out);

#endif
