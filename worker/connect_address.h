/* connect_address.h: where a server is: the addresses of its name, tried one after the other.
 *
 * Resolving blocks: a client of its own has nothing else to do. Called by connect_link.c.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_ADDRESS_H
#define GATEHOUSE_WORKER_CONNECT_ADDRESS_H

#include "shared/uri.h"

enum { CONNECT_REASON_MAX = 256 }; /* bytes of words that tell why, with their NUL */

struct addrinfo;

/* All zero: none yet. */
struct connect_addresses {
    struct addrinfo *all;  /* owned */
    struct addrinfo *next; /* NULL: every one was tried */
};

/* 0, or -EHOSTUNREACH with `reason` filled. */
int connect_addresses_find(struct connect_addresses *addresses, const struct uri *uri,
                           char reason[CONNECT_REASON_MAX]);
/* A socket that connects to the next address that takes one; the caller's. -EHOSTUNREACH: there is
 * none left, and `reason` tells why the last failed (untouched when there was none). */
int connect_addresses_next(struct connect_addresses *addresses, char reason[CONNECT_REASON_MAX]);
void connect_addresses_free(struct connect_addresses *addresses);

#endif
