#include "conf/auth_config_candidate.h"

#include "shared/clock.h"
#include "shared/digest.h"
#include "shared/log.h"

#include <errno.h>
#include <stdlib.h>

#define APP_RESOURCE "{{app.resource}}"
#define APP_PATH "/mcp/apps/"

/* Keys that were fetched from the same place stay trusted. Without a URL the place is the issuer's
 * to say. */
static bool keys_stay(const struct registry_slot *slot, const struct auth_config_record *config,
                      const struct document_record *origin)
{
    const struct registry_entry *good = slot->good;

    return good != NULL && !config->keys_static && !good->config.keys_static &&
           slice_equal(good->origin.jwks_url, origin->jwks_url) &&
           good->origin.jwks_insecure == origin->jwks_insecure &&
           (origin->jwks_url.size > 0 || slice_equal(good->config.issuer, config->issuer));
}

static void keys_inherit(struct auth_config_record *config, struct document_record *origin,
                         const struct registry_entry *good)
{
    config->keys_usable = good->config.keys_usable;
    config->last_fetch_ok = good->config.last_fetch_ok;
    config->keys_fetched = good->config.keys_fetched;
    config->next_refresh = good->config.next_refresh;
    origin->keys_url = good->origin.keys_url;
    origin->keys_etag = good->origin.keys_etag;
    origin->keys_modified = good->origin.keys_modified;
}

static int keys_stage(struct registry_slot *slot, const struct auth_config_document *document,
                      struct auth_config_record *record)
{
    const char *reason = "";
    int status;

    record->keys_static = document->static_jwks.size > 0;
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

/* A template with {{app.resource}} filled in but for the app's name; the arena's. */
static struct slice audience_fill(struct slice template, struct slice public_addr,
                                  struct arena *arena)
{
    struct slice mark = slice_from(APP_RESOURCE);
    const char *at = memmem(template.data, template.size, mark.data, mark.size);
    size_t before = at == NULL ? template.size : (size_t)(at - template.data);
    struct buffer text = {0};
    struct slice filled = {0};
    int status = buffer_append(&text, template.data, before);

    if (status == 0 && at != NULL)
        status = buffer_append_slice(&text, public_addr);
    if (status == 0 && at != NULL)
        status = buffer_append_text(&text, APP_PATH AUTH_AUDIENCE_APP);
    if (status == 0 && at != NULL)
        status = buffer_append_slice(&text, slice_skip(template, before + mark.size));
    if (status == 0)
        filled = arena_copy(arena, buffer_slice(&text));
    buffer_free(&text);
    return filled;
}

static int audiences_fill(const struct slice *templates, size_t count, struct slice public_addr,
                          struct arena *arena, struct auth_config_record *record)
{
    for (size_t i = 0; i < count; i++) {
        record->audiences[i] = audience_fill(templates[i], public_addr, arena);
        if (record->audiences[i].data == NULL)
            return -ENOMEM;
    }
    record->audience_count = count;
    return 0;
}

int auth_config_candidate_stage(struct registry_slot *slot, const struct document *document,
                                const struct candidate_context *context)
{
    const struct auth_config_document *source = &document->auth_config;
    struct auth_config_record record = source->record;
    struct document_record origin = {0};
    struct arena arena = {0};
    int status;

    if (slot->good != NULL && slice_equal(slot->good->origin.good_hash, document->hash))
        return 0;
    record.name = document->name;
    status = keys_stage(slot, source, &record);
    if (status < 0 || slot->change == REGISTRY_REFUSED)
        return status;
    status = audiences_fill(source->audiences, source->audience_count, context->public_addr, &arena,
                            &record);
    memcpy(origin.audiences, source->audiences, sizeof(origin.audiences));
    origin.audience_count = source->audience_count;
    origin.selectors = source->selectors;
    origin.selector_count = source->selector_count;
    origin.jwks_url = source->jwks_url;
    origin.jwks_insecure = source->jwks_insecure;
    if (keys_stay(slot, &record, &origin))
        keys_inherit(&record, &origin, slot->good);
    if (status == 0)
        status = candidate_set(slot, &record, &origin, document);
    arena_free(&arena);
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
    record.audience_count = 0; /* the templates are in the origin */
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
    if (!keys_stay(slot, &next->config, &next->origin))
        status = key_set_write(next->config.keys_static ? &slot->keys : NULL, slot->name, 0, 0,
                               store, publication, &left);
    next->origin.key_epoch = slot->good == NULL || left ? epoch_after(epoch) : epoch;
    if (status == 0)
        status = revision_make(next);
    return status < 0 ? status : config_put(next, publication);
}

static bool audiences_equal(const struct auth_config_record *a, const struct auth_config_record *b)
{
    bool equal = a->audience_count == b->audience_count;

    for (size_t i = 0; i < a->audience_count && equal; i++)
        equal = slice_equal(a->audiences[i], b->audiences[i]);
    return equal;
}

int auth_config_candidate_refill(struct registry_slot *slot, struct slice public_addr,
                                 struct publication *publication)
{
    const struct document_record *origin = &slot->good->origin;
    struct auth_config_record record = slot->good->config;
    struct registry_entry *entry = NULL;
    struct arena arena = {0};
    int status =
        audiences_fill(origin->audiences, origin->audience_count, public_addr, &arena, &record);

    if (status == 0 && !audiences_equal(&record, &slot->good->config))
        status = registry_entry_make(DOCUMENT_AUTH_CONFIG, &record, origin, &entry);
    arena_free(&arena);
    if (status == -EMSGSIZE) {
        log_error("audiences_refused", "config %.*s: its audiences do not fit into its record",
                  (int)slot->name.size, slot->name.data);
        return 0;
    }
    if (status < 0 || entry == NULL)
        return status;
    registry_entry_free(slot->good);
    slot->good = entry;
    return config_put(entry, publication);
}

/* What belongs to the keys is in the document's status: it must be there after a restart. */
static int origin_put(const struct registry_entry *entry, struct publication *publication)
{
    const struct document_record *origin = &entry->origin;
    struct document_record record;
    struct buffer bytes = {0};
    struct store_key key;
    struct slice value;
    void *selectors = NULL;
    int status;

    document_record_key(&key, DOCUMENT_AUTH_CONFIG, entry->config.name);
    status = publication_get(publication, STORE_STATUS, &key, &value);
    if (status == 0)
        status = document_record_decode(value, &record, &selectors);
    if (status == 0) {
        record.key_epoch = origin->key_epoch;
        record.keys_url = origin->keys_url;
        record.keys_etag = origin->keys_etag;
        record.keys_modified = origin->keys_modified;
        status = document_record_encode(&record, &bytes);
    }
    if (status == 0)
        status = publication_put(publication, STORE_STATUS, &key, buffer_slice(&bytes));
    buffer_free(&bytes);
    free(selectors);
    return status;
}

/* The version in force with another origin. One that is too large goes on without validators. */
static int origin_move(struct registry_slot *slot, struct document_record *origin)
{
    struct registry_entry *moved;
    int status = registry_entry_make(DOCUMENT_AUTH_CONFIG, &slot->good->config, origin, &moved);

    if (status == -EMSGSIZE) {
        origin->keys_url = origin->keys_etag = origin->keys_modified = slice_make(NULL, 0);
        status = registry_entry_make(DOCUMENT_AUTH_CONFIG, &slot->good->config, origin, &moved);
    }
    if (status < 0)
        return status;
    registry_entry_free(slot->good);
    slot->good = moved;
    return revision_make(moved);
}

/* Notes how the set is marked where it was fetched, and that a key left it. */
static int origin_fetched(struct registry_slot *slot, const struct key_set_outcome *outcome,
                          bool left, struct publication *publication)
{
    struct document_record origin = slot->good->origin;
    bool marked = outcome->etag.size > 0 || outcome->modified.size > 0;
    int status;

    if (left)
        origin.key_epoch = epoch_after(origin.key_epoch);
    origin.keys_url = marked ? outcome->url : slice_make(NULL, 0);
    origin.keys_etag = outcome->etag;
    origin.keys_modified = outcome->modified;
    if (!left && slice_equal(origin.keys_url, slot->good->origin.keys_url) &&
        slice_equal(origin.keys_etag, slot->good->origin.keys_etag) &&
        slice_equal(origin.keys_modified, slot->good->origin.keys_modified))
        return 0;
    status = origin_move(slot, &origin);
    return status < 0 ? status : origin_put(slot->good, publication);
}

static void fetch_good(struct auth_config_record *config, const struct key_set_outcome *outcome)
{
    config->last_fetch_ok = true;
    config->keys_usable = true;
    config->keys_fetched = outcome->ended;
}

/* The keys of before stay, until they are too old. */
static void fetch_failed(struct auth_config_record *config, const struct key_set_outcome *outcome)
{
    int64_t age = outcome->ended - config->keys_fetched;

    config->last_fetch_ok = false;
    if (!config->keys_usable)
        return;
    config->keys_usable = age < outcome->max_stale;
    if (config->keys_usable)
        log_warning("keys_stale", "config %.*s: its keys of %lld s ago are used on, up to %lld s",
                    (int)config->name.size, config->name.data, (long long)age,
                    (long long)outcome->max_stale);
    else
        log_error("keys_given_up", "config %.*s: its keys of %lld s ago are not used any more",
                  (int)config->name.size, config->name.data, (long long)age);
}

/* A renewal of nothing: the keys are not where they should be. The next fetch asks for all. */
static int keys_lost(struct registry_slot *slot, struct publication *publication)
{
    const struct key_set_outcome nothing = {0};
    struct auth_config_record *config = &slot->good->config;

    log_error("keys_lost", "config %.*s: the keys of an unchanged set are not there",
              (int)config->name.size, config->name.data);
    config->last_fetch_ok = config->keys_usable = false;
    return origin_fetched(slot, &nothing, false, publication);
}

static int keys_renew(struct registry_slot *slot, const struct key_set_outcome *outcome,
                      struct store *store, struct publication *publication)
{
    size_t count;
    int status = key_set_renew(slot->name, outcome->ended, outcome->ended + outcome->max_stale,
                               store, publication, &count);

    if (status < 0)
        return status;
    if (count == 0)
        return keys_lost(slot, publication);
    fetch_good(&slot->good->config, outcome);
    return 0;
}

static int keys_replace(struct registry_slot *slot, const struct key_set_outcome *outcome,
                        struct store *store, struct publication *publication)
{
    bool left = false;
    int status = key_set_write(outcome->keys, slot->name, outcome->ended,
                               outcome->ended + outcome->max_stale, store, publication, &left);

    fetch_good(&slot->good->config, outcome);
    return status < 0 ? status : origin_fetched(slot, outcome, left, publication);
}

int auth_config_candidate_fetched(struct registry_slot *slot, const struct key_set_outcome *outcome,
                                  struct store *store, struct publication *publication)
{
    int status = 0;

    slot->good->config.next_refresh = outcome->next_refresh;
    if (outcome->unchanged)
        status = keys_renew(slot, outcome, store, publication);
    else if (outcome->keys != NULL)
        status = keys_replace(slot, outcome, store, publication);
    else
        fetch_failed(&slot->good->config, outcome);
    return status < 0 ? status : config_put(slot->good, publication);
}
