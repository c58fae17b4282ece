/* store_meta.h: what an environment says of itself, in its database `meta`.
 *
 * Called by the store when it opens or makes an environment, and by `gatehouse status`; keys and
 * forms stand in store.h.
 */
#ifndef GATEHOUSE_SHARED_STORE_META_H
#define GATEHOUSE_SHARED_STORE_META_H

#include "shared/store.h"

/* Inside a write transaction on an empty environment: schema, lmdb, boot_id, created, and in
 * `config` the first generation. */
int store_meta_write(struct store *store, enum store_environment environment);

/* What the record `name` says, as text; borrowed as the store's values are. -ENOENT, -EBADMSG. */
int store_meta_get(struct store *store, const char *name, struct slice *field);

/* 0; -ESTALE: made by another schema or LMDB line; -EUCLEAN: it does not say. */
int store_meta_check(struct store *store, enum store_environment environment);

/* STORE_SCHEMA_CONFIG or STORE_SCHEMA_SESSIONS. */
int store_meta_schema(enum store_environment environment);

/* In a write transaction of its own: the boot and the LMDB that use the environment from now on. */
int store_meta_renew(struct store *store);

#endif
