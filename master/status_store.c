#include "master/status_store.h"

#include "master/table.h"

#include <errno.h>
#include <inttypes.h>

static const char *const status_store_names[] = {
    [STORE_CONFIG] = "config", [STORE_SESSIONS] = "sessions"};
static const char *const status_store_headings[] = {"STORE",   "USED",       "OF",
                                                    "PERCENT", "READER LAG", "ENTRIES"};

struct status_store_facts {
    struct store_usage usage;
    uint64_t lag;
};

static int status_store_ask(struct store *store, struct status_store_facts *facts)
{
    int error = store_reader_lag(store, &facts->lag);

    return error != 0 ? error : store_usage(store, &facts->usage);
}

/* Which databases an environment has is the store's: those of the other have no entries here. */
static bool status_store_has(enum store_environment environment, int database)
{
    bool config = database >= STORE_APPS && database <= STORE_STATUS;

    return database == STORE_META || config == (environment == STORE_CONFIG);
}

static void status_store_cell_size(struct table *table, uint64_t bytes)
{
    static const char units[] = "BKMGT";
    size_t unit = 0;

    while (bytes >= 10 * 1024 && unit + 2 < sizeof(units)) {
        bytes /= 1024;
        unit++;
    }
    table_cell_format(table, "%" PRIu64 "%c", bytes, units[unit]);
}

static void status_store_cell_entries(struct table *table, enum store_environment environment,
                                      const struct store_usage *usage)
{
    char text[512];
    size_t size = 0;

    for (int i = 0; i < STORE_DATABASES && size < sizeof(text); i++)
        if (status_store_has(environment, i))
            size += (size_t)snprintf(
                text + size, sizeof(text) - size, "%s%s %" PRIu64, size == 0 ? "" : ", ",
                store_database_name((enum store_database)i), usage->entries[i]);
    table_cell(table, slice_from(text));
}

int status_store_print(const struct inspection *inspection, const struct status_store stores[2])
{
    struct table table;
    int error = 0, printed;

    table_begin(&table, status_store_headings, 6);
    for (int i = STORE_CONFIG; i <= STORE_SESSIONS; i++) {
        struct status_store_facts facts;

        if (stores[i].store == NULL)
            continue;
        error = status_store_ask(stores[i].store, &facts);
        if (error != 0)
            break;
        table_cell(&table, slice_from(status_store_names[i]));
        status_store_cell_size(&table, facts.usage.used);
        status_store_cell_size(&table, facts.usage.map_size);
        table_cell_format(&table, "%.1f",
                          100.0 * (double)facts.usage.used / (double)facts.usage.map_size);
        table_cell_format(&table, "%" PRIu64, facts.lag);
        status_store_cell_entries(&table, (enum store_environment)i, &facts.usage);
    }
    putchar('\n');
    if (table.count == 0)
        table.headings = NULL;
    printed = table_print(&table, stdout, inspection_width(inspection));
    return error != 0 ? error : printed;
}

static int status_store_object(struct json_writer *json, enum store_environment environment,
                               const struct status_store *store)
{
    struct status_store_facts facts;
    int error = store->store == NULL ? 0 : status_store_ask(store->store, &facts);

    json_writer_open(json, status_store_names[environment], '{');
    json_writer_optional(json, "error", slice_from(store->store == NULL ? store->reason : NULL));
    if (store->store != NULL && error == 0) {
        json_writer_number(json, "map_size", (int64_t)facts.usage.map_size);
        json_writer_number(json, "used", (int64_t)facts.usage.used);
        json_writer_number(json, "last_write", (int64_t)facts.usage.last_write);
        json_writer_number(json, "reader_lag", (int64_t)facts.lag);
        json_writer_open(json, "entries", '{');
        for (int i = 0; i < STORE_DATABASES; i++)
            if (status_store_has(environment, i))
                json_writer_number(json, store_database_name((enum store_database)i),
                                   (int64_t)facts.usage.entries[i]);
        json_writer_close(json, '}');
    }
    json_writer_close(json, '}');
    return error;
}

int status_store_json(struct json_writer *json, const struct status_store stores[2])
{
    int error = 0;

    json_writer_open(json, "stores", '{');
    for (int i = STORE_CONFIG; i <= STORE_SESSIONS && error == 0; i++)
        error = status_store_object(json, (enum store_environment)i, &stores[i]);
    json_writer_close(json, '}');
    return error;
}
