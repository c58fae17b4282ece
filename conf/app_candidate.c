#include "conf/app_candidate.h"

#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* At most `room` bytes of a regular file; -EFBIG when there are more. */
static ssize_t ca_read(struct slice path, char *out, size_t room)
{
    char *name = strndup(path.data, path.size);
    size_t size = 0;
    ssize_t got = 1;
    struct stat status;
    int fd;

    if (name == NULL)
        return -ENOMEM;
    fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    free(name);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    while (got > 0 && size < room) {
        got = read(fd, out + size, room - size);
        if (got > 0)
            size += (size_t)got;
    }
    close(fd);
    if (got < 0)
        return -EIO;
    return size == room ? -EFBIG : (ssize_t)size;
}

/* Fills record.ca_pem from the file that the document names. false: refused. */
static bool ca_fill(struct registry_slot *slot, const struct app_document *app, char *room,
                    struct app_record *record)
{
    ssize_t size;

    if (app->ca_file.size == 0)
        return true;
    size = ca_read(app->ca_file, room, APP_CA_MAX + 1);
    if (size <= 0) {
        registry_refuse(slot, "ca: \"%.*s\" cannot be used: %s; at most %d bytes of PEM",
                        (int)app->ca_file.size, app->ca_file.data,
                        size == 0 ? "it is empty" : strerror((int)-size), APP_CA_MAX);
        return false;
    }
    record->ca_pem = slice_make(room, (size_t)size);
    return true;
}

/* The addresses of before, whose bytes belong to the version of before. */
static void endpoint_inherit(struct app_endpoint *endpoint, const struct registry_entry *before)
{
    for (size_t i = 0; before != NULL && i < before->app.endpoint_count; i++) {
        const struct app_endpoint *old = &before->app.endpoints[i];

        if (!slice_equal(old->host, endpoint->host))
            continue;
        memcpy(endpoint->addresses, old->addresses, sizeof(endpoint->addresses));
        endpoint->address_count = old->address_count;
        return;
    }
}

/* What a command said of an endpoint holds until a command says otherwise. */
static void endpoint_inherit_drain(struct app_endpoint *endpoint,
                                   const struct registry_entry *before)
{
    for (size_t i = 0; before != NULL && i < before->app.endpoint_count; i++)
        if (before->app.endpoints[i].id == endpoint->id)
            endpoint->draining |= before->app.endpoints[i].draining & APP_DRAIN_COMMAND;
}

static int record_stage(struct registry_slot *slot, const struct document *document,
                        const struct candidate_context *context, struct app_record *record)
{
    struct document_record origin = {0};

    for (size_t i = 0; i < record->endpoint_count; i++) {
        struct app_endpoint *endpoint = &record->endpoints[i];

        endpoint->address_count = 0;
        if (context->addresses != NULL)
            endpoint->address_count = context->addresses(context->addresses_context, endpoint->host,
                                                         endpoint->addresses, APP_ADDRESSES_MAX);
        if (endpoint->address_count == 0)
            endpoint_inherit(endpoint, slot->good);
        endpoint_inherit_drain(endpoint, slot->good);
    }
    return candidate_set(slot, record, &origin, document);
}

int app_candidate_stage(struct registry_slot *slot, const struct document *document,
                        const struct candidate_context *context)
{
    const struct app_document *app = &document->app;
    struct app_record record = app->record;
    char *room = app->ca_file.size > 0 ? malloc(APP_CA_MAX + 1) : NULL;
    int status = 0;

    if (app->ca_file.size > 0 && room == NULL)
        return -ENOMEM;
    record.name = document->name;
    /* No time: only another number than that of an app which bore this name before. */
    record.birth = slot->good != NULL ? slot->good->app.birth : clock_wall_milliseconds();
    if (ca_fill(slot, app, room, &record) &&
        (slot->good == NULL || !slice_equal(slot->good->origin.good_hash, document->hash) ||
         !slice_equal(slot->good->app.ca_pem, record.ca_pem)))
        status = record_stage(slot, document, context, &record);
    free(room);
    return status;
}

static int app_put(const struct registry_slot *slot, const struct registry_entry *entry,
                   struct publication *publication)
{
    struct buffer bytes = {0};
    struct store_key key;
    int status = app_record_encode(&entry->app, &bytes);

    store_key_of(&key, slot->name);
    if (status == 0)
        status = publication_put(publication, STORE_APPS, &key, buffer_slice(&bytes));
    buffer_free(&bytes);
    return status;
}

int app_candidate_write(const struct registry_slot *slot, struct publication *publication)
{
    struct store_key key;

    if (slot->change == REGISTRY_REPLACED)
        return app_put(slot, slot->next, publication);
    store_key_of(&key, slot->name);
    return publication_delete(publication, STORE_APPS, &key);
}

static bool addresses_hold(const struct app_endpoint *endpoint, struct slice address)
{
    for (size_t i = 0; i < endpoint->address_count; i++)
        if (slice_equal(endpoint->addresses[i], address))
            return true;
    return false;
}

/* Servers turn the order of their answers round: the same set is no change. */
static bool endpoint_readdress(struct app_endpoint *endpoint,
                               const struct candidate_context *context)
{
    struct slice known[APP_ADDRESSES_MAX];
    size_t count =
        context->addresses(context->addresses_context, endpoint->host, known, APP_ADDRESSES_MAX);
    bool differs = count != endpoint->address_count;

    if (count == 0)
        return false;
    for (size_t i = 0; i < count && !differs; i++)
        differs = !addresses_hold(endpoint, known[i]);
    if (differs) {
        memcpy(endpoint->addresses, known, sizeof(known));
        endpoint->address_count = count;
    }
    return differs;
}

/* Puts another record in the place of the one in force; *entry is the slot's. */
static int app_replace(struct registry_slot *slot, const struct app_record *record,
                       struct registry_entry **entry)
{
    int status = registry_entry_make(DOCUMENT_APP, record, &slot->good->origin, entry);

    if (status < 0)
        return status;
    registry_entry_free(slot->good);
    slot->good = *entry;
    return 0;
}

int app_candidate_readdress(struct registry_slot *slot, const struct candidate_context *context,
                            struct publication *publication)
{
    struct app_record record = slot->good->app;
    struct registry_entry *entry;
    bool differs = false;
    int status;

    for (size_t i = 0; i < record.endpoint_count; i++)
        differs = endpoint_readdress(&record.endpoints[i], context) || differs;
    if (!differs)
        return 0;
    status = app_replace(slot, &record, &entry);
    if (status == -EMSGSIZE) {
        log_warning("addresses_refused", "app %.*s: its addresses do not fit into its record",
                    (int)slot->name.size, slot->name.data);
        return 0;
    }
    return status < 0 ? status : app_put(slot, entry, publication);
}

int app_candidate_drain(struct registry_slot *slot, size_t endpoint, bool drain,
                        struct publication *publication)
{
    struct app_record record = slot->good->app;
    uint8_t *draining = &record.endpoints[endpoint].draining;
    struct registry_entry *entry;
    int status;

    *draining = (uint8_t)(drain ? *draining | APP_DRAIN_COMMAND : *draining & ~APP_DRAIN_COMMAND);
    status = app_replace(slot, &record, &entry);
    return status < 0 ? status : app_put(slot, entry, publication);
}
