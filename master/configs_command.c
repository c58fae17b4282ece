#include "master/configs_command.h"

#include "master/inspection.h"
#include "master/table.h"
#include "master/time_text.h"
#include "shared/arena.h"
#include "shared/auth_config_record.h"
#include "shared/jose_algorithm.h"
#include "shared/key_record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static const struct inspection_command configs_usage = {
    .name = "gatehouse configs",
    .usage = "gatehouse configs [-c FILE | --state DIR] [--json] [--wide]",
};

static const char *const configs_headings[] = {"NAME", "ISSUER",  "ALGORITHMS", "REVISION",
                                               "KEYS", "FETCHED", "APPS",       "AUDIENCES"};

struct configs_binding {
    struct slice config; /* first: what they are sorted by */
    struct slice app;    /* as the key spells it */
    struct slice value;  /* the record, which `config` is of; the arena's, as the others */
};

struct configs {
    const struct inspection *inspection;
    struct store *store;
    struct arena arena;
    struct configs_binding *bindings; /* owned; by config, then app */
    size_t binding_count, binding_capacity;
    struct table table;
    struct json_writer json;
    struct buffer text; /* one cell */
    size_t keys;        /* of the config at hand */
};

static int configs_collect(void *context, struct slice key, struct slice value)
{
    struct configs *configs = context;
    const char *slash = memchr(key.data, '/', key.size);
    struct configs_binding binding;
    struct binding_record record;

    binding.value = arena_copy(&configs->arena, value);
    binding.app =
        arena_copy(&configs->arena,
                   slice_make(key.data, slash == NULL ? key.size : (size_t)(slash - key.data)));
    if (binding.value.data == NULL || binding.app.data == NULL)
        return -ENOMEM;
    if (binding_record_decode(binding.value, &record) != 0)
        return 0;
    binding.config = record.config;
    if (configs->binding_count == configs->binding_capacity) {
        size_t capacity = configs->binding_capacity == 0 ? 256 : 2 * configs->binding_capacity;
        struct configs_binding *grown =
            reallocarray(configs->bindings, capacity, sizeof(*configs->bindings));

        if (grown == NULL)
            return -ENOMEM;
        configs->bindings = grown;
        configs->binding_capacity = capacity;
    }
    configs->bindings[configs->binding_count++] = binding;
    return 0;
}

static int configs_compare(const void *left, const void *right)
{
    const struct configs_binding *a = left, *b = right;
    int order = slice_compare(a->config, b->config);

    return order != 0 ? order : slice_compare(a->app, b->app);
}

/* The config's bindings lie together: the first, and their count. */
static const struct configs_binding *configs_bound(const struct configs *configs, struct slice name,
                                                   size_t *count)
{
    size_t low = 0, high = configs->binding_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (slice_compare(configs->bindings[middle].config, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *count = 0;
    while (low + *count < configs->binding_count &&
           slice_equal(configs->bindings[low + *count].config, name))
        (*count)++;
    return configs->bindings + low;
}

static int configs_scan_keys(struct configs *configs, struct slice config, store_visit visit)
{
    struct store_key prefix;

    store_key_of(&prefix, config);
    store_key_plain(&prefix, "");
    configs->keys = 0;
    return store_scan(configs->store, STORE_KEYS, store_key_slice(&prefix), slice_from(""), visit,
                      configs);
}

static int configs_count_key(void *context, struct slice key, struct slice value)
{
    struct configs *configs = context;

    (void)key;
    (void)value;
    configs->keys++;
    return 0;
}

static void configs_put_algorithms(struct json_writer *json, uint32_t algorithms)
{
    json_writer_open(json, "algorithms", '[');
    for (int i = 0; i < JOSE_ALGORITHMS; i++)
        if ((algorithms >> i & 1) != 0)
            json_writer_string(json, NULL, slice_from(jose_algorithm_name((enum jose_algorithm)i)));
    json_writer_close(json, ']');
}

static int configs_visit_key_json(void *context, struct slice name, struct slice value)
{
    struct configs *configs = context;
    struct json_writer *json = &configs->json;
    struct key_record key;

    (void)name;
    if (key_record_decode(value, &key) != 0)
        return 0;
    json_writer_open(json, NULL, '{');
    json_writer_optional(json, "kid", key.kid);
    configs_put_algorithms(json, key.algorithms);
    json_writer_string(json, "thumbprint", key.thumbprint);
    json_writer_time(json, "fetched", key.fetched);
    json_writer_time(json, "good_until", key.good_until);
    json_writer_close(json, '}');
    return 0;
}

static void configs_put_rules_json(struct json_writer *json,
                                   const struct auth_config_record *config)
{
    char revision[20];

    snprintf(revision, sizeof(revision), "%" PRIx64, config->revision);
    json_writer_string(json, "name", config->name);
    json_writer_string(json, "issuer", config->issuer);
    json_writer_string(json, "revision", slice_from(revision));
    configs_put_algorithms(json, config->algorithms);
    json_writer_string(json, "username_claim", config->username_claim);
    json_writer_number(json, "clock_skew", config->clock_skew);
    json_writer_number(json, "max_token_age", config->max_token_age);
    json_writer_number(json, "max_session_ttl", config->max_session_ttl);
    json_writer_strings(json, "required_scopes", config->required_scopes,
                        config->required_scope_count);
    json_writer_open(json, "required_claims", '[');
    for (size_t i = 0; i < config->required_claim_count; i++) {
        json_writer_open(json, NULL, '{');
        json_writer_string(json, "name", config->required_claims[i].name);
        json_writer_string(json, "value", config->required_claims[i].value);
        json_writer_close(json, '}');
    }
    json_writer_close(json, ']');
}

/* The audiences for an app; *room, which holds them, is the caller's to free. 0 or -ENOMEM. */
static int configs_fill(const struct auth_config_record *config, struct slice app,
                        struct binding_record *binding, char **room)
{
    *room = malloc(binding_record_room(config, app));
    if (*room == NULL)
        return -ENOMEM;
    memset(binding, 0, sizeof(*binding));
    binding_record_fill(binding, config, app, *room);
    return 0;
}

static int configs_put_bindings_json(struct configs *configs,
                                     const struct auth_config_record *config)
{
    size_t count;
    const struct configs_binding *bound = configs_bound(configs, config->name, &count);
    int error = 0;

    json_writer_open(&configs->json, "bindings", '[');
    for (size_t i = 0; i < count && error == 0; i++) {
        struct binding_record binding;
        char *room;

        error = configs_fill(config, bound[i].app, &binding, &room);
        if (error != 0)
            break;
        json_writer_open(&configs->json, NULL, '{');
        json_writer_string(&configs->json, "app", bound[i].app);
        json_writer_strings(&configs->json, "audiences", binding.audiences, binding.audience_count);
        json_writer_close(&configs->json, '}');
        free(room);
    }
    json_writer_close(&configs->json, ']');
    return error;
}

static int configs_visit_json(void *context, struct slice key, struct slice value)
{
    struct configs *configs = context;
    struct json_writer *json = &configs->json;
    struct auth_config_record config;
    int error;

    if (auth_config_record_decode(value, &config) != 0) {
        json_writer_unreadable(json, key);
        return 0;
    }
    json_writer_open(json, NULL, '{');
    configs_put_rules_json(json, &config);
    json_writer_boolean(json, "keys_static", config.keys_static);
    json_writer_boolean(json, "keys_usable", config.keys_usable);
    json_writer_time(json, "keys_fetched", config.keys_fetched);
    json_writer_open(json, "keys", '[');
    error = configs_scan_keys(configs, config.name, configs_visit_key_json);
    json_writer_close(json, ']');
    if (error == 0)
        error = configs_put_bindings_json(configs, &config);
    json_writer_close(json, '}');
    return error;
}

static int configs_cell_algorithms(struct configs *configs, uint32_t algorithms)
{
    int error = 0;

    buffer_clear(&configs->text);
    for (int i = 0; i < JOSE_ALGORITHMS && error == 0; i++)
        if ((algorithms >> i & 1) != 0)
            error = buffer_append_format(&configs->text, "%s%s",
                                         buffer_size(&configs->text) == 0 ? "" : " ",
                                         jose_algorithm_name((enum jose_algorithm)i));
    table_cell(&configs->table, buffer_slice(&configs->text));
    return error;
}

static int configs_cell_audiences(struct configs *configs, const struct auth_config_record *config,
                                  const struct configs_binding *bound, size_t count)
{
    int error = 0;

    buffer_clear(&configs->text);
    for (size_t i = 0; i < count && error == 0; i++) {
        struct binding_record binding;
        char *room;

        error = configs_fill(config, bound[i].app, &binding, &room);
        if (error != 0)
            break;
        error = buffer_append_format(&configs->text, "%s%.*s:", i == 0 ? "" : ", ",
                                     (int)bound[i].app.size, bound[i].app.data);
        for (size_t j = 0; j < binding.audience_count && error == 0; j++)
            error = buffer_append_format(&configs->text, " %.*s", (int)binding.audiences[j].size,
                                         binding.audiences[j].data);
        free(room);
    }
    table_cell(&configs->table, buffer_slice(&configs->text));
    return error;
}

static int configs_visit(void *context, struct slice key, struct slice value)
{
    struct configs *configs = context;
    struct auth_config_record config;
    char age[TIME_SPAN_SIZE];
    const struct configs_binding *bound;
    size_t count;
    int error;

    if (auth_config_record_decode(value, &config) != 0) {
        table_cell(&configs->table, key);
        table_cell(&configs->table, slice_from("cannot be read"));
        table_row_end(&configs->table);
        return 0;
    }
    error = configs_scan_keys(configs, config.name, configs_count_key);
    bound = configs_bound(configs, config.name, &count);
    time_relative(config.keys_fetched, configs->inspection->now, age);
    table_cell(&configs->table, config.name);
    table_cell(&configs->table, config.issuer);
    if (error == 0)
        error = configs_cell_algorithms(configs, config.algorithms);
    table_cell_format(&configs->table, "%" PRIx64, config.revision);
    table_cell_format(&configs->table, "%zu%s", configs->keys,
                      config.keys_usable ? "" : " unusable");
    table_cell(&configs->table, slice_from(config.keys_static ? "static" : age));
    table_cell_format(&configs->table, "%zu", count);
    if (configs->inspection->wide && error == 0)
        error = configs_cell_audiences(configs, &config, bound, count);
    return error;
}

static int configs_print(struct configs *configs)
{
    size_t columns = sizeof(configs_headings) / sizeof(configs_headings[0]);
    int error, printed;

    table_begin(&configs->table, configs_headings,
                configs->inspection->wide ? columns : columns - 1);
    error = store_scan(configs->store, STORE_APP_AUTH_CONFIGS, slice_from(""), slice_from(""),
                       configs_visit, configs);
    buffer_free(&configs->text);
    printed = table_print(&configs->table, stdout, inspection_width(configs->inspection));
    return error != 0 ? error : printed;
}

static int configs_print_json(struct configs *configs)
{
    int error;

    json_writer_open(&configs->json, NULL, '{');
    json_writer_open(&configs->json, "configs", '[');
    error = store_scan(configs->store, STORE_APP_AUTH_CONFIGS, slice_from(""), slice_from(""),
                       configs_visit_json, configs);
    json_writer_close(&configs->json, ']');
    json_writer_close(&configs->json, '}');
    if (configs->json.error == 0)
        configs->json.error = error;
    return json_writer_end(&configs->json, stdout);
}

static int configs_show(struct configs *configs)
{
    int error = store_scan(configs->store, STORE_BINDINGS, slice_from(""), slice_from(""),
                           configs_collect, configs);

    if (error == 0) {
        if (configs->binding_count > 0)
            qsort(configs->bindings, configs->binding_count, sizeof(*configs->bindings),
                  configs_compare);
        error = configs->inspection->json ? configs_print_json(configs) : configs_print(configs);
    }
    free(configs->bindings);
    arena_free(&configs->arena);
    return error;
}

int configs_command(int argc, char **argv)
{
    struct inspection inspection;
    struct configs configs = {.inspection = &inspection};
    int status;

    if (!inspection_begin(&inspection, &configs_usage, argc, argv, &status))
        return status;
    configs.store = inspection_use(&inspection, STORE_CONFIG, &status);
    if (configs.store == NULL)
        return status;
    status = inspection_end(&inspection, configs_show(&configs));
    store_close(configs.store);
    return status;
}
