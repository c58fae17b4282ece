/* store.h: one LMDB environment, opened by one process. Its files alone know <lmdb.h>
 * (store_parts.h).
 *
 * Two environments exist, each one trust domain (see the README): `config`, written by the watcher
 * alone, and `sessions`, written by all workers and the janitor. A store is opened after exec, is
 * never carried over a fork, and is used by one thread.
 *
 * Reading: one cached read transaction. It is renewed on the first read after store_turn_begin
 * (call it when the poll returned, never before it) and reset by store_turn_end. What a read gives
 * is borrowed until store_turn_end, store_refresh or the next write transaction's end.
 * Writing: store_write_begin .. store_commit or store_abort within one turn of the loop. After any
 * error inside, the caller aborts. Only one write transaction at a time: a second is -EDEADLK.
 *
 * A record over 2000 bytes is continued under key/1 .. key/16 in the same transaction, so that LMDB
 * never needs two pages in a row; store_get and store_scan put the parts together. All keys of a
 * database have the same number of parts, so that no record's key is another's continuation.
 * What is read inside a write transaction is as that transaction has left it.
 *
 * `meta` holds records of one field, named as the key: schema, lmdb, boot_id, created (wall
 * seconds), and in `config` generation and revocations, which begin with the milliseconds of its
 * making, so that an environment that was made anew never repeats a number.
 *
 * Errors are -errno: -ENOENT not found; -ENOSPC map or disk full; -EUCLEAN corrupted (the process
 * must log and exit 70); -ESTALE schema or LMDB version differs; -EBADF read-only; -EIO others, as
 * when STORE_READERS living processes read already, or when the disk took only a part of a write.
 */
#ifndef GATEHOUSE_SHARED_STORE_H
#define GATEHOUSE_SHARED_STORE_H

#include "shared/buffer.h"
#include "shared/slice.h"
#include "shared/store_database.h"
#include "shared/store_key.h"

#include <errno.h>
#include <stdint.h>

enum {
    /* How each is laid out. One of another is moved aside, and of `config` the revocations with it:
     * so they count apart. */
    STORE_SCHEMA_CONFIG = 1,
    STORE_SCHEMA_SESSIONS = 2,
    STORE_RECORD_MAX = 17 * 2000, /* bytes */
    /* Processes that read one environment: two generations of 64 workers, and the others. The first
     * opener sets the table's size, so it is one number for all. */
    STORE_READERS = 2 * 64 + 64,
};

struct store;

struct store_options {
    const char *directory; /* .../config or .../sessions */
    enum store_environment environment;
    bool writable;
    /* Bytes; the same in all processes of a run. 0, only when not writable: what the writers had.
     */
    uint64_t map_size;
};

/* Opens what the creator made, and never makes a file. *out is owned; -ENOENT when the creator has
 * not run. -EACCES also when the lock file cannot be written: readers enter themselves there. */
int store_open(struct store **out, const struct store_options *options);
void store_close(struct store *store);

void store_turn_begin(struct store *store);
void store_turn_end(struct store *store);
/* Reset and renew now: a miss that would become a refusal is looked up once more after this. */
int store_refresh(struct store *store);

int store_get(struct store *store, enum store_database database, const struct store_key *key,
              struct slice *value);

/* Where a get found its record. A zeroed one is empty. */
struct store_place {
    uint64_t snapshot; /* the transaction that was read; 0: none */
    struct slice value;
};

/* As store_get of the same key each time, without a search while the environment's newest
 * transaction is the one that *place, the caller's, remembers: then its pages are as they were. */
int store_get_again(struct store *store, enum store_database database, const struct store_key *key,
                    struct store_place *place, struct slice *value);

/* Calls `visit` for each record whose key begins with `prefix`, from `from` (or the prefix when
 * empty) on, in key order, until it returns non-zero, which is returned. Key and value are borrowed
 * for the call. `visit` must not write. */
typedef int (*store_visit)(void *context, struct slice key, struct slice value);
int store_scan(struct store *store, enum store_database database, struct slice prefix,
               struct slice from, store_visit visit, void *context);

/* -EDEADLK inside another one. -ESTALE: `config`'s next transaction would not follow its newest one
 * (the lock file, which readers can write, turned it back): nothing may be written any more. */
int store_write_begin(struct store *store);
/* Of the write transaction that has begun: higher than that of any before it. 0 outside of one. */
uint64_t store_write_number(const struct store *store);
/* -ENOSPC also when `sessions` is filled to 15/16 (or to 64 pages): the rest is for deletions.
 * -EINVAL outside of a write transaction or with an impossible key; -EMSGSIZE over
 * STORE_RECORD_MAX. */
int store_put(struct store *store, enum store_database database, const struct store_key *key,
              struct slice value);
/* As store_put, but -EEXIST, and the transaction goes on, when the key is there already. */
int store_add(struct store *store, enum store_database database, const struct store_key *key,
              struct slice value);
/* Deletes the record and its continuations. -ENOENT when there is none. */
int store_delete(struct store *store, enum store_database database, const struct store_key *key);
/* On an error nothing was written. Both end the transaction. */
int store_commit(struct store *store);
void store_abort(struct store *store);

/* fdatasync of an environment opened with lazy commits (`sessions`). */
int store_sync(struct store *store);

/* Clears slots of dead readers (their pages could never be reused). *cleared may be NULL. */
int store_reader_check(struct store *store, int *cleared);

struct store_usage {
    uint64_t map_size;                 /* bytes */
    uint64_t used;                     /* bytes that are not free, of records and of LMDB itself */
    uint64_t last_write;               /* id of the last committed transaction */
    uint64_t entries[STORE_DATABASES]; /* continuations count */
};
int store_usage(struct store *store, struct store_usage *usage);
/* Committed transactions that the oldest reader's snapshot does not hold yet: their pages cannot be
 * reused. 0 when nobody reads an old one. */
int store_reader_lag(struct store *store, uint64_t *lag);
/* As usage.last_write, without looking at anything else. */
uint64_t store_last_write(struct store *store);

/* Walks every page and decodes nothing: 0 sound, -EUCLEAN not. A page that points outside may also
 * end the process by a signal. Starts a thread while it runs. For the checker. */
int store_check(struct store *store);

/* Makes the environment: directory content, databases, schema and LMDB version, file modes
 * (config: data 0640, lock 0660, both of the directory's group; sessions: 0600, 0660). Idempotent;
 * -ESTALE when it was made by another schema
 * or another LMDB line (0.9.x are one line, one file format). Only the creator calls it. */
int store_create(const struct store_options *options);

/* Whether the environment cannot be relied on any more: the process logs it and exits 70. */
static inline bool store_is_lost(int error)
{
    return error == -EUCLEAN || error == -ESTALE;
}

/* The LMDB version this program runs with, as "0.9.24". */
const char *store_version(void);

#endif
