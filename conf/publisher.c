#include "conf/publisher.h"

#include "conf/app_candidate.h"
#include "conf/auth_config_candidate.h"
#include "conf/binding.h"
#include "conf/host.h"
#include "conf/role_match.h"
#include "conf/role_notice.h"
#include "conf/staging.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* One run of publisher_apply. */
struct apply {
    struct publisher *publisher;
    const struct reading *reading;
    struct slice public_addr;
    struct publication *publication;
    struct binding_matches matches;
};

int publisher_open(struct publisher *publisher)
{
    struct publication *publication;
    int status = publication_begin(&publication, publisher->store);

    if (status < 0)
        return status;
    publisher->numbers = (struct publication_numbers){
        .generation = atomic_load_explicit(&publisher->public->generation, memory_order_relaxed),
        .revocations = atomic_load_explicit(&publisher->public->revocations, memory_order_relaxed),
    };
    status = registry_load(&publisher->registry, publisher->store, publication);
    if (status < 0) {
        publication_abort(publication);
        return status;
    }
    /* What was published is served, also while nothing more can be. */
    status = publisher_commit(publisher, publication);
    return status < 0 ? status : 0;
}

void publisher_close(struct publisher *publisher)
{
    registry_free(&publisher->registry);
    free(publisher->public_addr);
    publisher->public_addr = NULL;
}

int publisher_commit(struct publisher *publisher, struct publication *publication)
{
    int committed = publication_commit(publication, &publisher->numbers);
    const struct publication_numbers *numbers = &publisher->numbers;

    if (committed < 0)
        return committed;
    atomic_store_explicit(&publisher->public->generation, numbers->generation,
                          memory_order_release);
    /* Never backwards: what a worker once refused by must not be forgotten. */
    if (atomic_load_explicit(&publisher->public->revocations, memory_order_relaxed) <
        numbers->revocations)
        atomic_store_explicit(&publisher->public->revocations, numbers->revocations,
                              memory_order_release);
    if (committed == 0)
        return 0;
    scoreboard_count(publisher->block, COUNT_PUBLISHED);
    log_info("published", "generation %llu, revocations %llu",
             (unsigned long long)numbers->generation, (unsigned long long)numbers->revocations);
    return 1;
}

/* A refusal may end or make another clash: judged again until a round refuses nothing. Each round
 * refuses at least one change, so it ends. */
static int judge(struct apply *apply)
{
    struct registry *registry = &apply->publisher->registry;
    size_t refused;
    int status;

    do {
        refused = 0;
        status = host_judge(registry, &refused);
        if (status == 0)
            status = binding_judge(registry, apply->publication, apply->publisher->block,
                                   &apply->matches, &refused);
    } while (status == 0 && refused > 0);
    return status;
}

/* The status that the store should show, but its time. */
static void status_fill(const struct registry_slot *slot, struct document_record *record)
{
    const struct registry_entry *entry = registry_effective(slot);

    if (entry != NULL)
        *record = entry->origin;
    else
        memset(record, 0, sizeof(*record));
    record->name = slot->name;
    record->refused = slot->change == REGISTRY_REFUSED;
    record->place = registry_place(slot);
    if (record->refused)
        record->warning = slice_make(NULL, 0); /* of another version */
    record->reason = record->refused ? slice_from(slot->reason) : slice_make(NULL, 0);
    if (!record->refused && entry != NULL)
        record->good_place = record->place;
}

static const char *status_consequence(const struct registry_slot *slot)
{
    if (slot->kind == DOCUMENT_UNKNOWN)
        return "its documents stay as they were";
    return slot->good != NULL ? "the last good version stays in force"
                              : "there is no earlier version";
}

/* The launcher has its commands from elsewhere (collector.c), at other times. */
static bool status_is_stdio(const struct registry_slot *slot)
{
    return slot->kind == DOCUMENT_APP && slot->good != NULL &&
           slot->good->app.transport == APP_MCP_STDIO;
}

static void status_tell(const struct registry_slot *slot, const struct document_record *record,
                        struct scoreboard_block *block)
{
    const char *kind = document_kind_name(slot->kind);
    const struct place *place = &record->place;
    char position[32] = ""; /* none in what cannot be read */

    if (place->line > 0)
        snprintf(position, sizeof(position), ":%u:%u", place->line, place->column);
    if (!record->refused) {
        log_info("document_accepted", "%s %.*s: %.*s%s%s", kind, (int)slot->name.size,
                 slot->name.data, (int)place->file.size, place->file.data, position,
                 status_is_stdio(slot) ? "; its command takes effect at a start or reload" : "");
        if (record->warning.size > 0)
            log_warning("document_warning", "%s %.*s: %.*s%s: %.*s", kind, (int)slot->name.size,
                        slot->name.data, (int)place->file.size, place->file.data, position,
                        (int)record->warning.size, record->warning.data);
        return;
    }
    scoreboard_count(block, COUNT_DOCUMENTS_REFUSED);
    log_warning("document_refused", "%s %.*s: %.*s%s: %.*s; %s", kind, (int)slot->name.size,
                slot->name.data, (int)place->file.size, place->file.data, position,
                (int)record->reason.size, record->reason.data, status_consequence(slot));
}

/* Keeps the time of an unchanged judgement; tells of a new one once. */
static int status_put(struct apply *apply, const struct registry_slot *slot,
                      const struct store_key *key, struct document_record *record)
{
    struct document_record old;
    struct buffer bytes = {0};
    struct slice value;
    void *selectors = NULL;
    bool same = false;
    int status = publication_get(apply->publication, STORE_STATUS, key, &value);

    record->time = clock_wall_seconds();
    if (status == 0 && document_record_decode(value, &old, &selectors) == 0) {
        same = old.refused == record->refused && slice_equal(old.reason, record->reason) &&
               slice_equal(old.good_hash, record->good_hash) &&
               (!record->refused || place_equal(&old.place, &record->place));
        if (same)
            record->time = old.time;
    }
    free(selectors);
    if (status < 0 && status != -ENOENT)
        return status;
    if (!same)
        status_tell(slot, record, apply->publisher->block);
    status = document_record_encode(record, &bytes);
    if (status == 0)
        status = publication_put(apply->publication, STORE_STATUS, key, buffer_slice(&bytes));
    buffer_free(&bytes);
    return status;
}

/* The store says already that the version in force is accepted where it stands. */
static bool status_stands(const struct registry_slot *slot)
{
    return slot->accepted && slot->seen && slot->change == REGISTRY_KEPT && slot->good != NULL &&
           place_equal(&slot->place, &slot->good->origin.good_place);
}

static int status_write(struct apply *apply, struct registry_slot *slot)
{
    struct document_record record;
    struct store_key key;

    document_record_key(&key, slot->kind, slot->name);
    if (!slot->seen && registry_effective(slot) == NULL) {
        if (slot->change == REGISTRY_REMOVED)
            log_info("document_removed", "%s %.*s", document_kind_name(slot->kind),
                     (int)slot->name.size, slot->name.data);
        return publication_delete(apply->publication, STORE_STATUS, &key);
    }
    if (!slot->seen)
        return 0; /* its file cannot be read: it stays as it is */
    status_fill(slot, &record);
    slot->accepted = !record.refused;
    return status_put(apply, slot, &key, &record);
}

static const void *entry_record(const struct registry_slot *slot)
{
    switch (slot->kind) {
    case DOCUMENT_APP:
        return &slot->good->app;
    case DOCUMENT_AUTH_CONFIG:
        return &slot->good->config;
    case DOCUMENT_ROLE:
        return &slot->good->role;
    default:
        return NULL; /* its key, in the origin, is enough */
    }
}

/* Where a document stands must outlive the reading: its file decides whether it is kept. */
static int slot_move(struct registry_slot *slot)
{
    struct registry_entry *moved;
    struct document_record origin;
    int status;

    if (slot->change != REGISTRY_KEPT || slot->good == NULL || !slot->seen ||
        place_equal(&slot->place, &slot->good->origin.good_place))
        return 0;
    origin = slot->good->origin;
    origin.good_place = slot->place;
    origin.place = slot->place;
    status = registry_entry_make(slot->kind, entry_record(slot), &origin, &moved);
    if (status < 0)
        return status;
    registry_entry_free(slot->good);
    slot->good = moved;
    return 0;
}

static int slot_write(struct apply *apply, struct registry_slot *slot)
{
    int status = 0;

    if (status_stands(slot))
        return 0;
    if (registry_changed(slot))
        status = candidate_write(slot, apply->publisher->store, apply->publication);
    if (status == 0)
        status = slot_move(slot);
    return status == 0 ? status_write(apply, slot) : status;
}

static int write_slots(struct apply *apply)
{
    int status = 0;

    for (size_t kind = DOCUMENT_APP; kind <= DOCUMENT_LOCK; kind++) {
        const struct registry_list *list = &apply->publisher->registry.lists[kind];

        for (size_t i = 0; i < list->count && status == 0; i++)
            status = slot_write(apply, list->slots[i]);
    }
    return status;
}

static int visit_damage(void *context, struct place place, const char *reason)
{
    struct apply *apply = context;
    struct document_record record = {.refused = true, .place = place, .reason = slice_from(reason)};
    struct registry_slot slot = {.kind = DOCUMENT_UNKNOWN, .name = place.file};
    struct store_key key;

    document_record_file_key(&key, place.file);
    return status_put(apply, &slot, &key, &record);
}

struct file_sweep {
    struct apply *apply;
    struct store_key keys[DIAGNOSTICS_MAX];
    size_t count;
};

static int visit_damaged_key(void *context, struct place place, const char *reason)
{
    struct file_sweep *sweep = context;

    (void)reason;
    if (sweep->count < DIAGNOSTICS_MAX)
        document_record_file_key(&sweep->keys[sweep->count++], place.file);
    return 0;
}

static int visit_file_status(void *context, struct slice key, struct slice value)
{
    struct file_sweep *sweep = context;
    struct store_key gone;

    (void)value;
    for (size_t i = 0; i < sweep->count; i++)
        if (slice_equal(key, store_key_slice(&sweep->keys[i])))
            return 0;
    if (store_key_take(&gone, key) != 0)
        return -EBADMSG;
    return publication_delete(sweep->apply->publication, STORE_STATUS, &gone);
}

/* A file that can be read again, or is gone, has no status of its own. */
static int write_files(struct apply *apply)
{
    struct file_sweep *sweep = calloc(1, sizeof(*sweep));
    int status;

    if (sweep == NULL)
        return -ENOMEM;
    sweep->apply = apply;
    reading_damages(apply->reading, visit_damaged_key, sweep);
    status = store_scan(apply->publisher->store, STORE_STATUS, slice_from("file/"), slice_from(""),
                        visit_file_status, sweep);
    free(sweep);
    return status < 0 ? status : reading_damages(apply->reading, visit_damage, apply);
}

static int publisher_reconcile(struct publisher *publisher, struct publication *publication)
{
    int status = binding_reconcile(&publisher->registry, publisher->store, publication);

    return status < 0 ? status
                      : role_match_reconcile(&publisher->registry, publisher->store, publication);
}

/* The first reading finds what runs of before left; another public_addr is in every audience. */
static int apply_address(struct apply *apply)
{
    struct publisher *publisher = apply->publisher;
    const struct registry_list *configs = &publisher->registry.lists[DOCUMENT_AUTH_CONFIG];
    int status = 0;

    if (publisher->public_addr == NULL)
        status = publisher_reconcile(publisher, apply->publication);
    else if (slice_is(apply->public_addr, publisher->public_addr))
        return 0;
    for (size_t i = 0; i < configs->count && status == 0; i++)
        if (configs->slots[i]->good != NULL && !registry_changed(configs->slots[i]))
            status = auth_config_candidate_refill(configs->slots[i], apply->public_addr,
                                                  apply->publication);
    return status;
}

static int apply_write(struct apply *apply)
{
    struct publisher *publisher = apply->publisher;
    int status = write_slots(apply);

    if (status == 0)
        status = write_files(apply);
    if (status == 0)
        status = host_write(&publisher->registry, apply->publication);
    if (status == 0)
        status = apply_address(apply);
    if (status == 0)
        status = binding_write(&publisher->registry, publisher->store, apply->publication,
                               &apply->matches, publisher->block);
    if (status == 0)
        status = role_match_write(&publisher->registry, publisher->store, apply->publication,
                                  publisher->block);
    return status;
}

/* The next reading fills the audiences again only when public_addr changed since this one. */
static int publisher_keep_address(struct publisher *publisher, struct slice public_addr)
{
    char *copy = strndup(public_addr.size == 0 ? "" : public_addr.data, public_addr.size);

    if (copy == NULL)
        return -ENOMEM;
    free(publisher->public_addr);
    publisher->public_addr = copy;
    return 0;
}

int publisher_apply(struct publisher *publisher, struct reading *reading, struct slice public_addr)
{
    struct apply apply = {.publisher = publisher, .reading = reading, .public_addr = public_addr};
    struct candidate_context context = {.addresses = publisher->addresses,
                                        .addresses_context = publisher->addresses_context,
                                        .public_addr = public_addr};
    int status = publication_begin(&apply.publication, publisher->store);

    if (status < 0)
        return status;
    status = staging_run(&publisher->registry, reading, &context);
    publisher->unread = status == 1;
    status = status == 1 ? 0 : status;
    if (status == 0)
        status = judge(&apply);
    if (status == 0)
        role_notice(&publisher->registry);
    if (status == 0)
        status = apply_write(&apply);
    if (status == 0)
        status = publisher_commit(publisher, apply.publication);
    else
        publication_abort(apply.publication);
    binding_matches_free(&apply.matches);
    if (status < 0)
        return status;
    staging_settle(&publisher->registry, reading);
    registry_settle(&publisher->registry);
    return publisher_keep_address(publisher, public_addr) < 0 ? -ENOMEM : status;
}

int publisher_fetched(struct publisher *publisher, const struct key_set_outcome *outcomes,
                      size_t count)
{
    struct publication *publication;
    int status = publication_begin(&publication, publisher->store);

    if (status < 0)
        return status;
    for (size_t i = 0; i < count && status == 0; i++) {
        struct registry_slot *slot =
            registry_find(&publisher->registry, DOCUMENT_AUTH_CONFIG, outcomes[i].config, false);

        if (slot != NULL && slot->good != NULL && !slot->good->config.keys_static)
            status =
                auth_config_candidate_fetched(slot, &outcomes[i], publisher->store, publication);
    }
    if (status == 0)
        return publisher_commit(publisher, publication);
    publication_abort(publication);
    return status;
}

int publisher_readdress(struct publisher *publisher)
{
    struct candidate_context context = {.addresses = publisher->addresses,
                                        .addresses_context = publisher->addresses_context};
    const struct registry_list *apps = &publisher->registry.lists[DOCUMENT_APP];
    struct publication *publication;
    int status = publication_begin(&publication, publisher->store);

    if (status < 0)
        return status;
    for (size_t i = 0; i < apps->count && status == 0; i++)
        if (apps->slots[i]->good != NULL)
            status = app_candidate_readdress(apps->slots[i], &context, publication);
    if (status == 0)
        return publisher_commit(publisher, publication);
    publication_abort(publication);
    return status;
}
