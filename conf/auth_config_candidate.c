#include "conf/auth_config_candidate.h"

#include "shared/clock.h"
#include "shared/digest.h"

#include <errno.h>
#include <stdlib.h>

/* Keys that were fetched from the same place stay trusted. */
static bool keys_stay(const struct registry_slot *slot, const struct registry_entry *next)
{
    return slot->good != NULL && !next->config.keys_static && !slot->good->config.keys_static &&
           slice_equal(slot->good->origin.jwks_url, next->origin.jwks_url) &&
           slot->good->origin.jwks_insecure == next->origin.jwks_insecure;
}

static void keys_inherit(struct registry_entry *next, const struct registry_entry *good)
{
    next->config.keys_usable = good->config.keys_usable;
    next->config.last_fetch_ok = good->config.last_fetch_ok;
    next->config.keys_fetched = good->config.keys_fetched;
    next->config.next_refresh = good->config.next_refresh;
}

static int keys_stage(struct registry_slot *slot, const struct auth_config_document *document,
                      struct auth_config_record *record)
{
    const char *reason = "";
    int status;

    record->keys_static = document->jwks_url.size == 0;
    record->keys_usable = record->keys_static;
    record->last_fetch_ok = record->keys_static;
    record->keys_fetched = 0;
    record->next_refresh = 0;
    record->revision = 1; /* until revision_make */
    if (!record->keys_static)
        return 0;
    status = key_set_read(document->static_jwks, slot->name, &slot->keys, &reason);
    if (status == -EINVAL) {
        registry_refuse(slot, "spec.jwt.static_jwks: %s", reason);
        return 0;
    }
    return status;
}

int auth_config_candidate_stage(struct registry_slot *slot, const struct document *document)
{
    const struct auth_config_document *source = &document->auth_config;
    struct auth_config_record record = source->record;
    struct document_record origin = {0};
    int status;

    if (slot->good != NULL && slice_equal(slot->good->origin.good_hash, document->hash))
        return 0;
    record.name = document->name;
    status = keys_stage(slot, source, &record);
    if (status < 0 || slot->change == REGISTRY_REFUSED)
        return status;
    memcpy(origin.audiences, source->audiences, sizeof(origin.audiences));
    origin.audience_count = source->audience_count;
    origin.selectors = source->selectors;
    origin.selector_count = source->selector_count;
    origin.jwks_url = source->jwks_url;
    origin.jwks_insecure = source->jwks_insecure;
    status = candidate_set(slot, &record, &origin, document);
    if (status == 0 && slot->next != NULL && keys_stay(slot, slot->next))
        keys_inherit(slot->next, slot->good);
    return status;
}

/* 63 bits of SHA-256 over what a judgement uses; never 0. */
static int revision_make(struct registry_entry *entry)
{
    struct auth_config_record record = entry->config;
    struct document_record origin = {.key_epoch = entry->origin.key_epoch,
                                     .audience_count = entry->origin.audience_count,
                                     .selectors = entry->origin.selectors,
                                     .selector_count = entry->origin.selector_count};
    struct buffer bytes = {0};
    struct digest digest;
    int status;

    record.revision = 0;
    record.keys_static = record.keys_usable = record.last_fetch_ok = false;
    record.keys_fetched = record.next_refresh = 0;
    memcpy(origin.audiences, entry->origin.audiences, sizeof(origin.audiences));
    status = auth_config_record_encode(&record, &bytes);
    if (status == 0)
        status = document_record_encode(&origin, &bytes);
    if (status == 0) {
        digest_of(buffer_slice(&bytes), &digest);
        memcpy(&entry->config.revision, digest.bytes, sizeof(entry->config.revision));
        entry->config.revision &= INT64_MAX;
        if (entry->config.revision == 0)
            entry->config.revision = 1;
    }
    buffer_free(&bytes);
    return status;
}

/* Never twice the same for one name, also when a document goes and comes back. */
static uint64_t epoch_after(uint64_t before)
{
    uint64_t now = (uint64_t)clock_wall_milliseconds();

    return now > before ? now : before + 1;
}

static int config_put(const struct registry_entry *entry, struct publication *publication)
{
    struct buffer bytes = {0};
    struct store_key key;
    int status = auth_config_record_encode(&entry->config, &bytes);

    store_key_of(&key, entry->config.name);
    if (status == 0)
        status = publication_put(publication, STORE_APP_AUTH_CONFIGS, &key, buffer_slice(&bytes));
    buffer_free(&bytes);
    return status;
}

static int config_delete(const struct registry_slot *slot, struct store *store,
                         struct publication *publication)
{
    struct store_key key;
    bool left;
    int status = key_set_write(NULL, slot->name, 0, 0, store, publication, &left);

    store_key_of(&key, slot->name);
    return status < 0 ? status : publication_delete(publication, STORE_APP_AUTH_CONFIGS, &key);
}

int auth_config_candidate_write(struct registry_slot *slot, struct store *store,
                                struct publication *publication)
{
    struct registry_entry *next = slot->next;
    uint64_t epoch = slot->good == NULL ? 0 : slot->good->origin.key_epoch;
    bool left = false;
    int status = 0;

    if (slot->change == REGISTRY_REMOVED)
        return config_delete(slot, store, publication);
    if (!keys_stay(slot, next))
        status = key_set_write(next->config.keys_static ? &slot->keys : NULL, slot->name, 0, 0,
                               store, publication, &left);
    next->origin.key_epoch = slot->good == NULL || left ? epoch_after(epoch) : epoch;
    if (status == 0)
        status = revision_make(next);
    return status < 0 ? status : config_put(next, publication);
}

/* The epoch is in the document's status: it must be there after a restart. */
static int epoch_move(struct registry_entry *entry, struct publication *publication)
{
    struct document_record record;
    struct buffer bytes = {0};
    struct store_key key;
    struct slice value;
    void *selectors = NULL;
    int status;

    entry->origin.key_epoch = epoch_after(entry->origin.key_epoch);
    document_record_key(&key, DOCUMENT_AUTH_CONFIG, entry->config.name);
    status = publication_get(publication, STORE_STATUS, &key, &value);
    if (status == 0)
        status = document_record_decode(value, &record, &selectors);
    if (status == 0) {
        record.key_epoch = entry->origin.key_epoch;
        status = document_record_encode(&record, &bytes);
    }
    if (status == 0)
        status = publication_put(publication, STORE_STATUS, &key, buffer_slice(&bytes));
    buffer_free(&bytes);
    free(selectors);
    return status == 0 ? revision_make(entry) : status;
}

int auth_config_candidate_fetched(struct registry_entry *entry,
                                  const struct key_set_outcome *outcome, struct store *store,
                                  struct publication *publication)
{
    struct auth_config_record *config = &entry->config;
    bool left = false;
    int status = 0;

    config->last_fetch_ok = outcome->keys != NULL;
    config->next_refresh = outcome->next_refresh;
    if (outcome->keys != NULL) {
        config->keys_usable = true;
        config->keys_fetched = outcome->ended;
        status = key_set_write(outcome->keys, config->name, outcome->ended,
                               outcome->ended + KEY_SET_STALE_MAX, store, publication, &left);
    } else if (outcome->ended >= config->keys_fetched + KEY_SET_STALE_MAX) {
        config->keys_usable = false;
    }
    if (status == 0 && left)
        status = epoch_move(entry, publication);
    return status < 0 ? status : config_put(entry, publication);
}
