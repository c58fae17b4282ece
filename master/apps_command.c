#include "master/apps_command.h"

#include "master/inspection.h"
#include "master/running.h"
#include "master/table.h"
#include "shared/app_record.h"
#include "shared/auth_config_record.h"

#include <errno.h>
#include <stdlib.h>

static const struct inspection_command apps_usage = {
    .name = "gatehouse apps",
    .usage = "gatehouse apps [-c FILE | --state DIR] [--json] [--wide]",
};

static const char *const apps_headings[] = {"NAME",    "TRANSPORT", "ENDPOINT",
                                            "ADDRESS", "CONFIGS",   "LABELS"};

struct apps {
    const struct inspection *inspection;
    struct store *store;
    const struct health_board *health; /* NULL: nobody runs, or we may not look */
    struct table table;
    struct json_writer json;
    struct buffer text; /* one cell */
};

static const char *apps_transport(enum app_transport transport)
{
    switch (transport) {
    case APP_HTTP:
        return "http";
    case APP_MCP_HTTP:
        return "mcp+http";
    case APP_MCP_STDIO:
        return "mcp+stdio";
    case APP_MCP_SSE:
        return "mcp+sse+http";
    case APP_DEBUG:
        break;
    }
    return "debug";
}

/* What the probes say; NULL: they do not, or it cannot be seen. */
static const char *apps_health(const struct apps *apps, const struct app_record *app,
                               const struct app_endpoint *endpoint)
{
    if (apps->health == NULL || app->health.probe == APP_PROBE_OFF)
        return NULL;
    return health_board_is_dead(apps->health, endpoint->id) ? "dead" : "alive";
}

static void apps_put_endpoint_json(struct apps *apps, const struct app_record *app,
                                   const struct app_endpoint *endpoint)
{
    struct json_writer *json = &apps->json;
    const char *health = apps_health(apps, app, endpoint);

    json_writer_open(json, NULL, '{');
    json_writer_string(json, "host", endpoint->host);
    json_writer_number(json, "port", endpoint->port);
    json_writer_boolean(json, "tls", endpoint->tls);
    json_writer_string(json, "path", endpoint->path);
    json_writer_strings(json, "addresses", endpoint->addresses, endpoint->address_count);
    json_writer_string(json, "state", slice_from(endpoint->draining ? "drain" : "active"));
    if (health != NULL)
        json_writer_string(json, "health", slice_from(health));
    json_writer_close(json, '}');
}

/* false: it has gone. Borrowed until the turn's end. */
static bool apps_config(struct store *store, struct slice config, struct auth_config_record *out)
{
    struct store_key key;
    struct slice value;

    store_key_of(&key, config);
    return store_get(store, STORE_APP_AUTH_CONFIGS, &key, &value) == 0 &&
           auth_config_record_decode(value, out) == 0;
}

/* The key's first part, which spells an app's name as it is. */
static struct slice apps_of_key(struct slice key)
{
    const char *end = memchr(key.data, '/', key.size);

    return slice_make(key.data, end == NULL ? key.size : (size_t)(end - key.data));
}

static int apps_visit_binding_json(void *context, struct slice key, struct slice value)
{
    struct apps *apps = context;
    struct auth_config_record config = {0};
    struct binding_record binding;
    char *room = NULL;

    if (binding_record_decode(value, &binding) != 0)
        return 0;
    if (apps_config(apps->store, binding.config, &config)) {
        room = malloc(binding_record_room(&config, apps_of_key(key)));
        if (room == NULL)
            return -ENOMEM;
        binding_record_fill(&binding, &config, apps_of_key(key), room);
    }
    json_writer_open(&apps->json, NULL, '{');
    json_writer_string(&apps->json, "config", binding.config);
    json_writer_string(&apps->json, "issuer", config.issuer);
    json_writer_strings(&apps->json, "audiences", binding.audiences, binding.audience_count);
    json_writer_close(&apps->json, '}');
    free(room);
    return 0;
}

static int apps_visit_binding(void *context, struct slice key, struct slice value)
{
    struct apps *apps = context;
    struct auth_config_record config = {0};
    struct binding_record binding;

    (void)key;
    if (binding_record_decode(value, &binding) != 0)
        return 0;
    if (!apps_config(apps->store, binding.config, &config))
        config.issuer = slice_from("");
    return buffer_append_format(&apps->text, "%s%.*s (%.*s)",
                                buffer_size(&apps->text) == 0 ? "" : ", ", (int)binding.config.size,
                                binding.config.data, (int)config.issuer.size, config.issuer.data);
}

static int apps_scan_bindings(struct apps *apps, struct slice app, store_visit visit)
{
    struct store_key prefix;

    store_key_of(&prefix, app);
    store_key_plain(&prefix, "");
    return store_scan(apps->store, STORE_BINDINGS, store_key_slice(&prefix), slice_from(""), visit,
                      apps);
}

static int apps_visit_json(void *context, struct slice key, struct slice value)
{
    struct apps *apps = context;
    struct json_writer *json = &apps->json;
    struct app_record app;
    int error;

    if (app_record_decode(value, &app) != 0) {
        json_writer_unreadable(json, key);
        return 0;
    }
    json_writer_open(json, NULL, '{');
    json_writer_string(json, "name", app.name);
    json_writer_string(json, "description", app.description);
    json_writer_string(json, "transport", slice_from(apps_transport(app.transport)));
    json_writer_optional(json, "public_addr", app.public_addr);
    json_writer_open(json, "endpoints", '[');
    for (size_t i = 0; i < app.endpoint_count; i++)
        apps_put_endpoint_json(apps, &app, &app.endpoints[i]);
    json_writer_close(json, ']');
    if (app.reinitialize)
        json_writer_string(json, "on_endpoint_loss", slice_from("reinitialize"));
    json_writer_open(json, "labels", '[');
    for (size_t i = 0; i < app.label_count; i++) {
        json_writer_open(json, NULL, '{');
        json_writer_string(json, "name", app.labels[i].name);
        json_writer_string(json, "value", app.labels[i].value);
        json_writer_close(json, '}');
    }
    json_writer_close(json, ']');
    json_writer_open(json, "bindings", '[');
    error = apps_scan_bindings(apps, app.name, apps_visit_binding_json);
    json_writer_close(json, ']');
    json_writer_close(json, '}');
    return error;
}

static int apps_append_endpoint(struct apps *apps, const struct app_record *app,
                                const struct app_endpoint *endpoint)
{
    bool v6 = memchr(endpoint->host.data, ':', endpoint->host.size) != NULL;
    const char *health = apps_health(apps, app, endpoint);
    int error = buffer_append_format(&apps->text, "%s%s://%s%.*s%s:%u%.*s [",
                                     buffer_size(&apps->text) == 0 ? "" : ", ",
                                     endpoint->tls ? "https" : "http", v6 ? "[" : "",
                                     (int)endpoint->host.size, endpoint->host.data, v6 ? "]" : "",
                                     endpoint->port, (int)endpoint->path.size, endpoint->path.data);

    for (size_t j = 0; j < endpoint->address_count && error == 0; j++)
        error = buffer_append_format(&apps->text, "%s%.*s", j == 0 ? "" : " ",
                                     (int)endpoint->addresses[j].size, endpoint->addresses[j].data);
    if (error == 0)
        error = buffer_append_text(&apps->text, endpoint->address_count == 0 ? "unresolved]" : "]");
    if (error == 0 && health != NULL)
        error = buffer_append_format(&apps->text, " %s", health);
    if (error == 0 && endpoint->draining)
        error = buffer_append_text(&apps->text, " draining");
    return error;
}

static int apps_cell_endpoints(struct apps *apps, const struct app_record *app)
{
    int error = 0;

    buffer_clear(&apps->text);
    for (size_t i = 0; i < app->endpoint_count && error == 0; i++)
        error = apps_append_endpoint(apps, app, &app->endpoints[i]);
    table_cell(&apps->table, buffer_slice(&apps->text));
    return error;
}

static int apps_cell_labels(struct apps *apps, const struct app_record *app)
{
    int error = 0;

    buffer_clear(&apps->text);
    for (size_t i = 0; i < app->label_count && error == 0; i++)
        error = buffer_append_format(&apps->text, "%s%.*s=%.*s", i == 0 ? "" : ", ",
                                     (int)app->labels[i].name.size, app->labels[i].name.data,
                                     (int)app->labels[i].value.size, app->labels[i].value.data);
    table_cell(&apps->table, buffer_slice(&apps->text));
    return error;
}

static int apps_visit(void *context, struct slice key, struct slice value)
{
    struct apps *apps = context;
    struct app_record app;
    int error;

    if (app_record_decode(value, &app) != 0) {
        table_cell(&apps->table, key);
        table_cell(&apps->table, slice_from("cannot be read"));
        table_row_end(&apps->table);
        return 0;
    }
    table_cell(&apps->table, app.name);
    table_cell(&apps->table, slice_from(apps_transport(app.transport)));
    error = apps_cell_endpoints(apps, &app);
    table_cell(&apps->table, app.public_addr.size == 0 ? slice_from("-") : app.public_addr);
    buffer_clear(&apps->text);
    if (error == 0)
        error = apps_scan_bindings(apps, app.name, apps_visit_binding);
    table_cell(&apps->table,
               buffer_size(&apps->text) == 0 ? slice_from("none") : buffer_slice(&apps->text));
    return error != 0 ? error : apps_cell_labels(apps, &app);
}

static int apps_print(struct apps *apps)
{
    size_t columns = sizeof(apps_headings) / sizeof(apps_headings[0]);
    int error, printed;

    table_begin(&apps->table, apps_headings, columns);
    error = store_scan(apps->store, STORE_APPS, slice_from(""), slice_from(""), apps_visit, apps);
    buffer_free(&apps->text);
    printed = table_print(&apps->table, stdout, inspection_width(apps->inspection));
    return error != 0 ? error : printed;
}

static int apps_print_json(struct apps *apps)
{
    int error;

    json_writer_open(&apps->json, NULL, '{');
    json_writer_open(&apps->json, "apps", '[');
    error =
        store_scan(apps->store, STORE_APPS, slice_from(""), slice_from(""), apps_visit_json, apps);
    json_writer_close(&apps->json, ']');
    json_writer_close(&apps->json, '}');
    if (apps->json.error == 0)
        apps->json.error = error;
    return json_writer_end(&apps->json, stdout);
}

int apps_command(int argc, char **argv)
{
    struct inspection inspection;
    struct running running;
    struct apps apps = {.inspection = &inspection};
    int status;

    if (!inspection_begin(&inspection, &apps_usage, argc, argv, &status))
        return status;
    running_find(inspection.state_dir, &running); /* before we become who may not look */
    apps.health = running.health;
    apps.store = inspection_use(&inspection, STORE_CONFIG, &status);
    if (apps.store == NULL)
        return status;
    status =
        inspection_end(&inspection, inspection.json ? apps_print_json(&apps) : apps_print(&apps));
    store_close(apps.store);
    return status;
}
