/* key_set.h: the keys of one app auth config, read from a JWK set and recorded in `keys`.
 *
 * Called by the publisher (static_jwks) and when a fetch ended. A key that is refused is named in
 * the log; the others are taken. Never fetches: see key_refresh.h and key_fetch.h.
 */
#ifndef GATEHOUSE_CONF_KEY_SET_H
#define GATEHOUSE_CONF_KEY_SET_H

#include "conf/publication.h"
#include "shared/arena.h"
#include "shared/key_record.h"

struct key_set {
    struct arena arena;      /* owns all */
    struct key_record *keys; /* without times */
    size_t count;
};

/* How the fetch of a config's key set ended. */
struct key_set_outcome {
    struct slice config;
    const struct key_set *keys; /* NULL: it failed, or the set is unchanged */
    bool unchanged;             /* what is held is still the set */
    struct slice url;           /* where the set is, and how it was marked there */
    struct slice etag;
    struct slice modified;
    int64_t max_stale;    /* seconds; the age at which keys are given up */
    int64_t ended;        /* wall seconds */
    int64_t next_refresh; /* wall seconds before which an unknown kid asks for none */
};

/* 0; -EINVAL with *reason (a literal) when the text is no JWK set or holds no usable key; -ENOMEM.
 * `config` is for the log. Free the set in every case. */
int key_set_read(struct slice text, struct slice config, struct key_set *out, const char **reason);
void key_set_free(struct key_set *set);

/* Makes the records of `config` be this set (NULL or empty: none). *left: a key that was there is
 * gone, or may verify less than before, so sessions must be judged anew. 0 or the store's error. */
int key_set_write(const struct key_set *set, struct slice config, int64_t fetched,
                  int64_t good_until, struct store *store, struct publication *publication,
                  bool *left);

/* Gives the records of `config` new times. *count: how many there are; 0 also
 * when one of them cannot be read. 0 or the store's error. */
int key_set_renew(struct slice config, int64_t fetched, int64_t good_until, struct store *store,
                  struct publication *publication, size_t *count);

#endif
