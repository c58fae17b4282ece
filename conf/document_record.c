#include "conf/document_record.h"

#include "shared/record.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

static void place_put(struct record_writer *writer, const struct place *place)
{
    record_put(writer, "file", place->file);
    record_put_number(writer, "line", place->line);
    record_put_number(writer, "column", place->column);
}

static struct place place_get(struct record_reader *reader)
{
    struct place place;

    place.file = record_get(reader, "file");
    place.line = (unsigned)record_get_range(reader, "line", 0, INT_MAX);
    place.column = (unsigned)record_get_range(reader, "column", 0, INT_MAX);
    return place;
}

/* What is not known is left out: such a record reads as those of a program before this one. */
static void validators_put(struct record_writer *writer, const struct document_record *record)
{
    if (record->keys_url.size == 0)
        return;
    record_put(writer, "keys_url", record->keys_url);
    record_put(writer, "keys_etag", record->keys_etag);
    record_put(writer, "keys_modified", record->keys_modified);
}

static void validators_get(struct record_reader *reader, struct document_record *out)
{
    if (!record_next_is(reader, "keys_url"))
        return;
    out->keys_url = record_get(reader, "keys_url");
    out->keys_etag = record_get(reader, "keys_etag");
    out->keys_modified = record_get(reader, "keys_modified");
}

static void selectors_put(struct record_writer *writer, const struct document_record *record)
{
    for (size_t i = 0; i < record->selector_count; i++) {
        const struct label_selector *selector = &record->selectors[i];

        record_put(writer, "label", selector->name);
        for (size_t j = 0; j < selector->value_count; j++)
            record_put(writer, "value", selector->values[j]);
    }
}

static void parts_put(struct record_writer *writer, const struct document_record *record)
{
    for (size_t i = 0; i < record->part_count; i++) {
        record_put(writer, "part", record->parts[i].file);
        record_put_number(writer, "endpoints", (int64_t)record->parts[i].endpoints);
    }
}

static void parts_get(struct record_reader *reader, struct document_record *out)
{
    while (out->part_count < APP_ENDPOINTS_MAX && record_next_is(reader, "part")) {
        struct app_part *part = &out->parts[out->part_count++];

        part->file = record_get(reader, "part");
        part->endpoints = (size_t)record_get_range(reader, "endpoints", 0, APP_ENDPOINTS_MAX);
    }
}

int document_record_encode(const struct document_record *record, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put(&writer, "name", record->name);
    record_put(&writer, "state", slice_from(record->refused ? "refused" : "accepted"));
    place_put(&writer, &record->place);
    record_put(&writer, "reason", record->reason);
    record_put_number(&writer, "time", record->time);
    record_put(&writer, "good", record->good_hash);
    place_put(&writer, &record->good_place);
    parts_put(&writer, record);
    if (record->warning.size > 0)
        record_put(&writer, "warning", record->warning);
    if (record->revocation.size > 0)
        record_put(&writer, "revocation", record->revocation);
    record_put_number(&writer, "key_epoch", (int64_t)record->key_epoch);
    record_put(&writer, "jwks_url", record->jwks_url);
    record_put_number(&writer, "jwks_insecure", record->jwks_insecure);
    validators_put(&writer, record);
    for (size_t i = 0; i < record->audience_count; i++)
        record_put(&writer, "audience", record->audiences[i]);
    selectors_put(&writer, record);
    return record_finish(&writer);
}

/* The values follow the selectors in one block: a record of n bytes has fewer than n / 8 fields. */
static int selectors_get(struct record_reader *reader, struct document_record *out, void **owned)
{
    size_t room = reader->rest.size / 8 + 1;
    struct label_selector *selectors;
    struct slice *values;
    size_t used = 0;

    *owned = NULL;
    if (!record_next_is(reader, "label"))
        return 0;
    selectors = calloc(1, LABELS_MAX * sizeof(*selectors) + room * sizeof(*values));
    if (selectors == NULL)
        return -ENOMEM;
    *owned = selectors;
    values = (struct slice *)(void *)(selectors + LABELS_MAX);
    while (record_next_is(reader, "label") && out->selector_count < LABELS_MAX) {
        struct label_selector *selector = &selectors[out->selector_count++];

        selector->name = record_get(reader, "label");
        selector->values = values + used;
        selector->value_count = record_get_list(reader, "value", values + used, room - used);
        if (selector->value_count == 0)
            reader->failed = true;
        used += selector->value_count;
    }
    out->selectors = selectors;
    return 0;
}

int document_record_decode(struct slice bytes, struct document_record *out, void **selectors_owned)
{
    struct record_reader reader;
    struct slice state;
    int status;

    memset(out, 0, sizeof(*out));
    record_open(&reader, bytes, '1');
    out->name = record_get(&reader, "name");
    state = record_get(&reader, "state");
    out->refused = slice_is(state, "refused");
    if (!out->refused && !slice_is(state, "accepted"))
        reader.failed = true;
    out->place = place_get(&reader);
    out->reason = record_get(&reader, "reason");
    out->time = record_get_number(&reader, "time");
    out->good_hash = record_get(&reader, "good");
    out->good_place = place_get(&reader);
    parts_get(&reader, out);
    if (record_next_is(&reader, "warning"))
        out->warning = record_get(&reader, "warning");
    if (record_next_is(&reader, "revocation"))
        out->revocation = record_get(&reader, "revocation");
    out->key_epoch = (uint64_t)record_get_range(&reader, "key_epoch", 0, INT64_MAX);
    out->jwks_url = record_get(&reader, "jwks_url");
    out->jwks_insecure = record_get_range(&reader, "jwks_insecure", 0, 1) == 1;
    validators_get(&reader, out);
    out->audience_count = record_get_list(&reader, "audience", out->audiences, AUTH_AUDIENCES_MAX);
    status = selectors_get(&reader, out, selectors_owned);
    if (status == 0)
        status = record_end(&reader);
    if (status < 0) {
        free(*selectors_owned);
        *selectors_owned = NULL;
    }
    return status;
}

const char *document_kind_name(enum document_kind kind)
{
    static const char *const names[] = {[DOCUMENT_UNKNOWN] = "file",
                                        [DOCUMENT_APP] = "app",
                                        [DOCUMENT_AUTH_CONFIG] = "app_auth_config",
                                        [DOCUMENT_ROLE] = "role",
                                        [DOCUMENT_LOCK] = "lock"};

    return names[kind];
}

void document_record_key(struct store_key *key, enum document_kind kind, struct slice name)
{
    store_key_begin(key);
    store_key_plain(key, document_kind_name(kind));
    store_key_part(key, name);
}

void document_record_file_key(struct store_key *key, struct slice file)
{
    store_key_begin(key);
    store_key_plain(key, "file");
    store_key_part(key, file);
}
