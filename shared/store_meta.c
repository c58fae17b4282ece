#include "shared/store_meta.h"

#include "shared/clock.h"
#include "shared/generation_record.h"
#include "shared/record.h"
#include "shared/revocation_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { STORE_BOOT_ID_SIZE = 36 }; /* bytes of a UUID's text */

/* The kernel's id of this boot; empty when it cannot be read. */
static struct slice store_meta_boot_id(char out[STORE_BOOT_ID_SIZE])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, out, STORE_BOOT_ID_SIZE);

    if (fd >= 0)
        close(fd);
    return slice_make(out, size == STORE_BOOT_ID_SIZE ? STORE_BOOT_ID_SIZE : 0);
}

int store_meta_get(struct store *store, const char *name, struct slice *field)
{
    struct record_reader reader;
    struct store_key key;
    struct slice value;
    int error;

    store_key_of(&key, slice_from(name));
    error = store_get(store, STORE_META, &key, &value);
    if (error != 0)
        return error;
    record_open(&reader, value, '1');
    *field = record_get(&reader, name);
    return record_end(&reader);
}

static int store_meta_put(struct store *store, const char *name, struct slice field)
{
    struct record_writer writer;
    struct buffer bytes = {0};
    struct store_key key;
    int error;

    record_begin(&writer, &bytes, '1');
    record_put(&writer, name, field);
    error = record_finish(&writer);
    store_key_of(&key, slice_from(name));
    if (error == 0)
        error = store_put(store, STORE_META, &key, buffer_slice(&bytes));
    buffer_free(&bytes);
    return error;
}

static int store_meta_put_number(struct store *store, const char *name, int64_t number)
{
    struct buffer text = {0};
    int error = buffer_append_format(&text, "%lld", (long long)number);

    if (error == 0)
        error = store_meta_put(store, name, buffer_slice(&text));
    buffer_free(&text);
    return error;
}

/* Milliseconds never fall behind a count of transactions: an environment that was made anew goes on
 * above every number of the old one. */
static int store_meta_put_generation(struct store *store)
{
    uint64_t number = (uint64_t)clock_wall_milliseconds();
    struct buffer bytes = {0};
    struct store_key key;
    int error = generation_record_encode(number, &bytes);

    generation_record_key(&key);
    if (error == 0)
        error = store_put(store, STORE_META, &key, buffer_slice(&bytes));
    buffer_clear(&bytes);
    if (error == 0)
        error = revocation_sequence_encode(number, &bytes);
    revocation_sequence_key(&key);
    if (error == 0)
        error = store_put(store, STORE_META, &key, buffer_slice(&bytes));
    buffer_free(&bytes);
    return error;
}

static int store_meta_put_run(struct store *store)
{
    char boot_id[STORE_BOOT_ID_SIZE];
    int error = store_meta_put(store, "lmdb", slice_from(store_version()));

    return error != 0 ? error : store_meta_put(store, "boot_id", store_meta_boot_id(boot_id));
}

int store_meta_schema(enum store_environment environment)
{
    return environment == STORE_CONFIG ? STORE_SCHEMA_CONFIG : STORE_SCHEMA_SESSIONS;
}

int store_meta_write(struct store *store, enum store_environment environment)
{
    int error = store_meta_put_number(store, "schema", store_meta_schema(environment));

    if (error == 0)
        error = store_meta_put_run(store);
    if (error == 0)
        error = store_meta_put_number(store, "created", clock_wall_seconds());
    if (error == 0 && environment == STORE_CONFIG)
        error = store_meta_put_generation(store);
    return error;
}

/* "0.9." of "0.9.24": what has one file format. */
static struct slice store_meta_line(struct slice version)
{
    size_t dots = 0, size = 0;

    while (size < version.size && dots < 2)
        dots += version.data[size++] == '.';
    return slice_make(version.data, size);
}

int store_meta_check(struct store *store, enum store_environment environment)
{
    struct slice schema, version;
    char expected[12];
    int error = store_meta_get(store, "schema", &schema);

    if (error == 0)
        error = store_meta_get(store, "lmdb", &version);
    /* A foreign or half-made environment. */
    if (error == -ENOENT || error == -EBADMSG)
        return -EUCLEAN;
    if (error != 0)
        return error;
    snprintf(expected, sizeof(expected), "%d", store_meta_schema(environment));
    if (!slice_is(schema, expected) ||
        !slice_equal(store_meta_line(version), store_meta_line(slice_from(store_version()))))
        return -ESTALE;
    return 0;
}

int store_meta_renew(struct store *store)
{
    int error = store_write_begin(store);

    if (error != 0)
        return error;
    error = store_meta_put_run(store);
    if (error != 0) {
        store_abort(store);
        return error;
    }
    return store_commit(store);
}
