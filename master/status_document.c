#include "master/status_document.h"

#include "master/table.h"
#include "master/time_text.h"
#include "shared/auth_config_record.h"
#include "shared/document_status.h"

#include <errno.h>

static const char *const status_document_headings[] = {"DOCUMENT", "STATE", "IN FORCE", "JUDGED",
                                                       "PLACE AND REASON"};
static const char *const status_document_key_headings[] = {"KEY SET", "STATE", "FETCHED",
                                                           "NEXT",    "KEYS",  "SOURCE"};

struct status_document {
    const struct inspection *inspection;
    struct store *store;
    struct table table;
    struct json_writer *json;
    size_t accepted, refused, keys;
};

static struct slice status_document_kind(struct slice key)
{
    const char *slash = memchr(key.data, '/', key.size);

    return slash == NULL ? key : slice_make(key.data, (size_t)(slash - key.data));
}

static void status_document_row(struct status_document *view, struct slice kind,
                                const struct document_status *document)
{
    char age[TIME_SPAN_SIZE];
    struct slice text = document->refused ? document->reason : document->warning;
    int size = (int)(text.size < 700 ? text.size : 700);

    time_relative(document->time, view->inspection->now, age);
    table_cell_format(&view->table, "%.*s%s%.*s", (int)kind.size, kind.data,
                      document->name.size == 0 ? "" : "/", (int)document->name.size,
                      document->name.data);
    table_cell(&view->table, slice_from(document->refused ? "REFUSED" : "accepted"));
    table_cell(&view->table, slice_from(!document->good     ? "nothing"
                                        : document->refused ? "a former version"
                                                            : "this version"));
    table_cell(&view->table, slice_from(age));
    table_cell_format(&view->table, "%.*s:%u:%u%s%s%.*s", (int)document->file.size,
                      document->file.data, document->line, document->column, size == 0 ? "" : ": ",
                      document->refused || size == 0 ? "" : "warning: ", size, text.data);
}

static int status_document_visit(void *context, struct slice key, struct slice value)
{
    struct status_document *view = context;
    struct document_status document;

    if (document_status_decode(value, &document) != 0) {
        table_cell(&view->table, key);
        table_cell(&view->table, slice_from("cannot be read"));
        table_row_end(&view->table);
        return 0;
    }
    if (document.refused)
        view->refused++;
    else
        view->accepted++;
    if (document.refused || document.warning.size > 0 || view->inspection->wide)
        status_document_row(view, status_document_kind(key), &document);
    return 0;
}

static int status_document_visit_json(void *context, struct slice key, struct slice value)
{
    struct status_document *view = context;
    struct json_writer *json = view->json;
    struct document_status document;

    if (document_status_decode(value, &document) != 0) {
        json_writer_unreadable(json, key);
        return 0;
    }
    json_writer_open(json, NULL, '{');
    json_writer_string(json, "kind", status_document_kind(key));
    json_writer_optional(json, "name", document.name);
    json_writer_string(json, "state", slice_from(document.refused ? "refused" : "accepted"));
    json_writer_boolean(json, "in_force", document.good);
    json_writer_string(json, "file", document.file);
    json_writer_number(json, "line", document.line);
    json_writer_number(json, "column", document.column);
    json_writer_optional(json, "reason", document.reason);
    json_writer_optional(json, "warning", document.warning);
    json_writer_time(json, "judged", document.time);
    json_writer_close(json, '}');
    return 0;
}

static int status_document_count_key(void *context, struct slice key, struct slice value)
{
    struct status_document *view = context;

    (void)key;
    (void)value;
    view->keys++;
    return 0;
}

static int status_document_count_keys(struct status_document *view, struct slice config)
{
    struct store_key prefix;

    store_key_of(&prefix, config);
    store_key_plain(&prefix, "");
    view->keys = 0;
    return store_scan(view->store, STORE_KEYS, store_key_slice(&prefix), slice_from(""),
                      status_document_count_key, view);
}

/* The URL that a config's keys come from: the watcher keeps it with the document's judgement. */
static struct slice status_document_source(struct store *store, struct slice config)
{
    struct document_status document;
    struct store_key key;
    struct slice value;

    store_key_begin(&key);
    store_key_plain(&key, "app_auth_config");
    store_key_part(&key, config);
    if (store_get(store, STORE_STATUS, &key, &value) != 0 ||
        document_status_decode(value, &document) != 0)
        return slice_from("");
    return document.jwks_url;
}

static const char *status_document_key_state(const struct auth_config_record *config)
{
    if (!config->keys_usable)
        return config->keys_fetched == 0 ? "NO KEYS YET" : "UNUSABLE";
    return config->keys_static || config->last_fetch_ok ? "good" : "STALE: last fetch failed";
}

static int status_document_visit_keys(void *context, struct slice key, struct slice value)
{
    struct status_document *view = context;
    struct auth_config_record config;
    char fetched[TIME_SPAN_SIZE], next[TIME_SPAN_SIZE];
    int error;

    (void)key;
    if (auth_config_record_decode(value, &config) != 0)
        return 0;
    error = status_document_count_keys(view, config.name);
    time_relative(config.keys_fetched, view->inspection->now, fetched);
    time_relative(config.next_refresh, view->inspection->now, next);
    table_cell(&view->table, config.name);
    table_cell(&view->table, slice_from(status_document_key_state(&config)));
    table_cell(&view->table, slice_from(config.keys_static ? "-" : fetched));
    table_cell(&view->table, slice_from(config.keys_static ? "-" : next));
    table_cell_format(&view->table, "%zu", view->keys);
    table_cell(&view->table, config.keys_static ? slice_from("static")
                                                : status_document_source(view->store, config.name));
    return error;
}

static int status_document_visit_keys_json(void *context, struct slice key, struct slice value)
{
    struct status_document *view = context;
    struct json_writer *json = view->json;
    struct auth_config_record config;
    int error;

    if (auth_config_record_decode(value, &config) != 0) {
        json_writer_unreadable(json, key);
        return 0;
    }
    error = status_document_count_keys(view, config.name);
    json_writer_open(json, NULL, '{');
    json_writer_string(json, "config", config.name);
    json_writer_boolean(json, "static", config.keys_static);
    json_writer_optional(json, "url",
                         config.keys_static ? slice_from("")
                                            : status_document_source(view->store, config.name));
    json_writer_boolean(json, "usable", config.keys_usable);
    json_writer_boolean(json, "last_fetch_ok", config.last_fetch_ok);
    json_writer_time(json, "fetched", config.keys_fetched);
    if (config.keys_static || config.keys_fetched == 0)
        json_writer_null(json, "age_seconds");
    else
        json_writer_number(json, "age_seconds", view->inspection->now - config.keys_fetched);
    json_writer_time(json, "next_refresh", config.next_refresh);
    json_writer_number(json, "keys", (int64_t)view->keys);
    json_writer_close(json, '}');
    return error;
}

static int status_document_print_keys(struct status_document *view)
{
    int error, printed;

    table_begin(&view->table, status_document_key_headings, 6);
    error = store_scan(view->store, STORE_APP_AUTH_CONFIGS, slice_from(""), slice_from(""),
                       status_document_visit_keys, view);
    putchar('\n');
    printed = table_print(&view->table, stdout, inspection_width(view->inspection));
    return error != 0 ? error : printed;
}

int status_document_print(const struct inspection *inspection, struct store *config)
{
    struct status_document view = {.inspection = inspection, .store = config};
    int error, printed;

    table_begin(&view.table, status_document_headings, 5);
    error = store_scan(config, STORE_STATUS, slice_from(""), slice_from(""), status_document_visit,
                       &view);
    printf("\nDocuments: %zu accepted, %zu refused\n", view.accepted, view.refused);
    if (view.table.count == 0)
        view.table.headings = NULL;
    printed = table_print(&view.table, stdout, inspection_width(inspection));
    if (error == 0)
        error = printed;
    return error != 0 ? error : status_document_print_keys(&view);
}

int status_document_json(const struct inspection *inspection, struct json_writer *json,
                         struct store *config)
{
    struct status_document view = {.inspection = inspection, .store = config, .json = json};
    int error;

    json_writer_open(json, "documents", '[');
    error = store_scan(config, STORE_STATUS, slice_from(""), slice_from(""),
                       status_document_visit_json, &view);
    json_writer_close(json, ']');
    json_writer_open(json, "key_sets", '[');
    if (error == 0)
        error = store_scan(config, STORE_APP_AUTH_CONFIGS, slice_from(""), slice_from(""),
                           status_document_visit_keys_json, &view);
    json_writer_close(json, ']');
    return error;
}
