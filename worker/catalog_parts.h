/* catalog_parts.h: what catalog.c and catalog_revocation.c share, and nobody else sees.
 */
#ifndef GATEHOUSE_WORKER_CATALOG_PARTS_H
#define GATEHOUSE_WORKER_CATALOG_PARTS_H

#include "worker/catalog.h"
#include "worker/issuer_list.h"
#include "worker/name_table.h"
#include "worker/policy_cache.h"
#include "worker/revocation.h"

struct catalog {
    struct store *store;
    const struct scoreboard_public *public;
    uint64_t generation;
    bool compared; /* this snapshot's generation is known not to be older than ours */
    int error;     /* of this turn */
    int fatal;     /* sticky: -ESTALE or -EUCLEAN */
    struct name_table apps, hosts, bindings, keys, issuers;
    struct policy_cache policies;
    struct issuer_list *all_issuers; /* NULL until a metadata page asks */
    uint64_t revocations;            /* this snapshot's own sequence of them; 0: not looked at */
    uint64_t empty; /* the sequence of which it is known that there are none; -1: unknown */
    struct revocation_cache revoked;
    struct buffer scratch; /* names of two parts; kept for its memory */
};

/* Remembers why the store could not be read, and returns it. */
int catalog_failed(struct catalog *catalog, int error);
/* The lock file can be written by others (the design, section 3), and through it a reader can be
 * turned back to an older snapshot: so each snapshot's generation is compared before its use. 0, or
 * what catalog_failed was told. */
int catalog_compare(struct catalog *catalog);
/* Goes on in a renewed snapshot. 0, or what catalog_failed was told. */
int catalog_refresh(struct catalog *catalog);

#endif
