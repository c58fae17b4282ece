/* key_list.h: the public keys of one config under one kid, prepared for use.
 *
 * Read by the catalog once a generation; preparing a key is dearer than the look-up of one.
 */
#ifndef GATEHOUSE_WORKER_KEY_LIST_H
#define GATEHOUSE_WORKER_KEY_LIST_H

#include "worker/catalog.h"

struct key_list;

/* An empty kid: all keys of the config. *out is owned, and NULL when there are none; a key that
 * OpenSSL does not take is left out. 0 or -errno. */
int key_list_read(struct key_list **out, struct store *config_store, struct slice config,
                  struct slice kid);
void key_list_free(struct key_list *list); /* NULL is ignored */

/* The keys that are not past their time at `now` (wall seconds). Their count, at most max. Borrowed
 * from the list. */
size_t key_list_current(const struct key_list *list, int64_t now, struct jose_key **keys,
                        struct slice *thumbprints, size_t max);

#endif
