#include "worker/tool_table.h"

#include "worker/name_table.h"

#include <stdlib.h>

struct tool_entry {
    int64_t seen;
    struct tool_schema schema;
};

struct tool_app {
    struct tool_table *table;
    int64_t period; /* when it began */
    int64_t now;    /* while a list is read */
    unsigned reads; /* in this period */
    size_t count;
    struct tool_entry *tools[TOOL_TABLE_APP_MAX]; /* owned */
};

struct tool_table {
    struct name_table apps;
    size_t count; /* tools of all apps */
};

struct tool_table *tool_table_make(void)
{
    return calloc(1, sizeof(struct tool_table));
}

static void tool_app_free(void *value)
{
    struct tool_app *app = value;

    for (size_t i = 0; i < app->count; i++)
        free(app->tools[i]);
    free(app);
}

void tool_table_free(struct tool_table *table)
{
    if (table == NULL)
        return;
    name_table_clear(&table->apps, tool_app_free);
    free(table);
}

/* NULL: out of memory; nothing is learned then. */
static struct tool_app *tool_table_app(struct tool_table *table, struct slice name)
{
    struct tool_app *app = name_table_find(&table->apps, name);

    if (app != NULL)
        return app;
    app = calloc(1, sizeof(*app));
    if (app == NULL)
        return NULL;
    app->table = table;
    if (name_table_put(&table->apps, name, app) != 0) {
        free(app);
        return NULL;
    }
    return app;
}

static void tool_app_remove(struct tool_app *app, size_t i)
{
    free(app->tools[i]);
    app->tools[i] = app->tools[--app->count];
    app->table->count--;
}

static bool tool_entry_is_old(const struct tool_entry *entry, int64_t now)
{
    return now - entry->seen > TOOL_TABLE_AGE || now < entry->seen;
}

static struct slice tool_entry_name(const struct tool_entry *entry)
{
    return tool_schema_text(&entry->schema, entry->schema.name);
}

bool tool_table_wants(struct tool_table *table, struct slice name, int64_t now)
{
    struct tool_app *app = tool_table_app(table, name);

    if (app == NULL)
        return false;
    if (app->reads == 0 || now - app->period >= TOOL_TABLE_PERIOD || now < app->period) {
        app->period = now;
        app->reads = 0;
        for (size_t i = app->count; i-- > 0;) {
            if (tool_entry_is_old(app->tools[i], now))
                tool_app_remove(app, i);
        }
    }
    if (app->reads == TOOL_TABLE_READS)
        return false;
    app->reads++;
    return true;
}

static void tool_app_learn(void *context, const struct tool_schema *schema)
{
    struct tool_app *app = context;
    struct slice name = tool_schema_text(schema, schema->name);
    size_t i = 0;

    while (i < app->count && !slice_equal(tool_entry_name(app->tools[i]), name))
        i++;
    if (schema->kind != TOOL_ANNOTATED) {
        if (i < app->count)
            tool_app_remove(app, i);
        return;
    }
    if (i == app->count) {
        if (i == TOOL_TABLE_APP_MAX || app->table->count >= TOOL_TABLE_MAX)
            return;
        app->tools[i] = malloc(sizeof(*app->tools[i]));
        if (app->tools[i] == NULL)
            return;
        app->count++;
        app->table->count++;
    }
    app->tools[i]->seen = app->now;
    app->tools[i]->schema = *schema;
}

void tool_table_learn(struct tool_table *table, struct slice name, struct slice result, int64_t now)
{
    struct tool_app *app = tool_table_app(table, name);

    if (app == NULL)
        return;
    app->now = now;
    /* What came before a fault was seen nevertheless; clients refuse the whole list. */
    (void)tool_list_read(result, tool_app_learn, app);
}

void tool_table_doubt(struct tool_table *table, struct slice name)
{
    struct tool_app *app = name_table_find(&table->apps, name);

    if (app != NULL)
        app->reads = 0;
}

const struct tool_schema *tool_table_find(const struct tool_table *table, struct slice name,
                                          const struct json_value *tool, int64_t now)
{
    const struct tool_app *app;

    if (table->count == 0)
        return NULL;
    app = name_table_find(&table->apps, name);
    for (size_t i = 0; app != NULL && i < app->count; i++) {
        if (json_string_is(tool, tool_entry_name(app->tools[i])))
            return tool_entry_is_old(app->tools[i], now) ? NULL : &app->tools[i]->schema;
    }
    return NULL;
}
