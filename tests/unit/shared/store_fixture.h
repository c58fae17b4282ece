/* store_fixture.h: an environment in a directory of its own. For tests that need a store. */
#ifndef GATEHOUSE_TESTS_UNIT_SHARED_STORE_FIXTURE_H
#define GATEHOUSE_TESTS_UNIT_SHARED_STORE_FIXTURE_H

#include "shared/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STORE_FIXTURE_MAP = 2 * 1024 * 1024 };

struct store_fixture {
    char parent[64];
    char directory[80];
    struct store_options options;
    struct store *store; /* writable */
};

static inline void store_fixture_make(struct store_fixture *fixture,
                                      enum store_environment environment)
{
    strcpy(fixture->parent, "/tmp/gatehouse-store.XXXXXX");
    assert_non_null(mkdtemp(fixture->parent));
    snprintf(fixture->directory, sizeof(fixture->directory), "%s/env", fixture->parent);
    fixture->options = (struct store_options){.directory = fixture->directory,
                                              .environment = environment,
                                              .writable = true,
                                              .map_size = STORE_FIXTURE_MAP};
    fixture->store = NULL;
}

static inline void store_fixture_open(struct store_fixture *fixture,
                                      enum store_environment environment)
{
    store_fixture_make(fixture, environment);
    assert_int_equal(store_create(&fixture->options), 0);
    assert_int_equal(store_open(&fixture->store, &fixture->options), 0);
}

static inline void store_fixture_path(const struct store_fixture *fixture, const char *name,
                                      char path[128])
{
    snprintf(path, 128, "%s/%s", fixture->directory, name);
}

static inline void store_fixture_close(struct store_fixture *fixture)
{
    char path[128];

    store_close(fixture->store);
    store_fixture_path(fixture, "data.mdb", path);
    unlink(path);
    store_fixture_path(fixture, "lock.mdb", path);
    unlink(path);
    rmdir(fixture->directory);
    assert_int_equal(rmdir(fixture->parent), 0);
}

/* One put in a transaction of its own. */
static inline int store_fixture_put(struct store *store, enum store_database database,
                                    const char *name, struct slice value)
{
    struct store_key key;
    int error = store_write_begin(store);

    store_key_begin(&key);
    store_key_plain(&key, name);
    if (error != 0)
        return error;
    error = store_put(store, database, &key, value);
    if (error != 0) {
        store_abort(store);
        return error;
    }
    return store_commit(store);
}

static inline int store_fixture_get(struct store *store, enum store_database database,
                                    const char *name, struct slice *value)
{
    struct store_key key;

    store_key_begin(&key);
    store_key_plain(&key, name);
    return store_get(store, database, &key, value);
}

/* `apps` has the record, with this value. */
static inline void store_fixture_expect(struct store *store, const char *name,
                                        struct slice expected)
{
    struct slice value;

    assert_int_equal(store_fixture_get(store, STORE_APPS, name, &value), 0);
    assert_int_equal(value.size, expected.size);
    assert_true(slice_equal(value, expected));
}

/* Bytes that differ from place to place, so that parts cannot change places unseen. */
static inline struct slice store_fixture_pattern(size_t size)
{
    static char bytes[STORE_RECORD_MAX + 1];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)('a' + (i + i / 2000) % 26);
    return slice_make(bytes, size);
}

/* Fills the environment; the number of records that were written. */
static inline unsigned store_fixture_fill(struct store *store)
{
    unsigned count = 0;
    int error = 0;

    while (error == 0 && count < 10000) {
        char name[16];

        snprintf(name, sizeof(name), "%08u", count);
        error = store_fixture_put(store, STORE_SESSION, name, store_fixture_pattern(1500));
        count += error == 0;
    }
    assert_int_equal(error, -ENOSPC);
    return count;
}

/* For cmocka: *state is a store_fixture. */
static inline int store_fixture_config(void **state)
{
    static struct store_fixture fixture;

    store_fixture_open(&fixture, STORE_CONFIG);
    *state = &fixture;
    return 0;
}

static inline int store_fixture_sessions(void **state)
{
    static struct store_fixture fixture;

    store_fixture_open(&fixture, STORE_SESSIONS);
    *state = &fixture;
    return 0;
}

static inline int store_fixture_end(void **state)
{
    store_fixture_close(*state);
    return 0;
}

#endif
