#include "worker/issuer_list.h"

#include "shared/uri.h"

#include <errno.h>
#include <stdlib.h>

enum { ISSUER_LIST_STOP = 1 }; /* a visit's result: the list is full */

/* While a list is read its text moves as it grows, so that sizes are kept, and slices made last. */
struct issuer_reading {
    struct issuer_list *list;
    struct buffer text;
    struct buffer scopes;  /* a space before each but the first */
    struct buffer configs; /* names of bound configs, each followed by a NUL */
};

static bool issuer_reading_has(const struct issuer_reading *reading, struct slice issuer)
{
    const char *at = buffer_data(&reading->text);

    for (size_t i = 0; i < reading->list->count; i++) {
        if (slice_equal(slice_make(at, reading->list->issuers[i].size), issuer))
            return true;
        at += reading->list->issuers[i].size;
    }
    return false;
}

/* Where a client can look for the authorization server's metadata. */
static bool issuer_is_url(struct slice issuer)
{
    const char *reason;
    struct uri uri;

    if (slice_has_prefix(issuer, slice_from("https://")))
        return true;
    return slice_has_prefix(issuer, slice_from("http://")) &&
           uri_parse(issuer, &uri, &reason) == 0 && uri_is_loopback(&uri);
}

static int issuer_reading_add_issuer(struct issuer_reading *reading, struct slice issuer)
{
    struct issuer_list *list = reading->list;
    int error;

    if (list->count == CATALOG_ISSUERS_MAX || !issuer_is_url(issuer) ||
        issuer_reading_has(reading, issuer))
        return 0;
    error = buffer_append_slice(&reading->text, issuer);
    if (error == 0)
        list->issuers[list->count++].size = issuer.size;
    return error;
}

static bool issuer_reading_has_scope(const struct issuer_reading *reading, struct slice scope)
{
    const char *at = buffer_data(&reading->scopes);

    for (size_t i = 0; i < reading->list->scope_count; i++) {
        if (slice_equal(slice_make(at, reading->list->scopes[i].size), scope))
            return true;
        at += reading->list->scopes[i].size + 1;
    }
    return false;
}

static int issuer_reading_add_scope(struct issuer_reading *reading, struct slice scope)
{
    struct issuer_list *list = reading->list;
    int error = 0;

    if (list->scope_count == CATALOG_SCOPES_MAX || issuer_reading_has_scope(reading, scope))
        return 0;
    if (list->scope_count > 0)
        error = buffer_append(&reading->scopes, " ", 1);
    if (error == 0)
        error = buffer_append_slice(&reading->scopes, scope);
    if (error == 0)
        list->scopes[list->scope_count++].size = scope.size;
    return error;
}

static int issuer_reading_add(struct issuer_reading *reading, struct slice config_record)
{
    struct auth_config_record config;
    int error = auth_config_record_decode(config_record, &config);

    if (error == 0)
        error = issuer_reading_add_issuer(reading, config.issuer);
    for (size_t i = 0; i < config.required_scope_count && error == 0; i++)
        error = issuer_reading_add_scope(reading, config.required_scopes[i]);
    if (error == 0 && reading->list->count == CATALOG_ISSUERS_MAX &&
        reading->list->scope_count == CATALOG_SCOPES_MAX)
        error = ISSUER_LIST_STOP;
    return error;
}

static int issuer_visit_config(void *context, struct slice key, struct slice value)
{
    (void)key;
    return issuer_reading_add(context, value);
}

static int issuer_visit_binding(void *context, struct slice key, struct slice value)
{
    struct issuer_reading *reading = context;
    struct binding_record binding;
    int error = binding_record_decode(value, &binding);

    (void)key;
    if (error == 0)
        error = buffer_append_slice(&reading->configs, binding.config);
    if (error == 0)
        error = buffer_append(&reading->configs, "", 1);
    return error;
}

static int issuer_reading_begin(struct issuer_reading *reading)
{
    *reading = (struct issuer_reading){.list = calloc(1, sizeof(*reading->list))};
    return reading->list == NULL ? -ENOMEM : 0;
}

/* Hands the texts over to the list, or frees everything. */
static int issuer_reading_end(struct issuer_reading *reading, int error, struct issuer_list **out)
{
    struct issuer_list *list = reading->list;
    const char *at;

    buffer_free(&reading->configs);
    if (error < 0) {
        buffer_free(&reading->text);
        buffer_free(&reading->scopes);
        free(list);
        return error;
    }
    list->text = buffer_data(&reading->text);
    at = list->text;
    for (size_t i = 0; i < list->count; i++) {
        list->issuers[i].data = at;
        at += list->issuers[i].size;
    }
    list->scope = buffer_slice(&reading->scopes);
    list->scope_text = buffer_data(&reading->scopes);
    at = list->scope_text;
    for (size_t i = 0; i < list->scope_count; i++) {
        list->scopes[i].data = at;
        at += list->scopes[i].size + 1;
    }
    *out = list;
    return 0;
}

/* The configs are read after the scan: a scan's values are borrowed for its calls only. */
static int issuer_reading_configs(struct issuer_reading *reading, struct store *config)
{
    const char *name = buffer_data(&reading->configs);
    const char *end = name == NULL ? NULL : name + buffer_size(&reading->configs);
    int error = 0;

    for (; name != end && error == 0; name += strlen(name) + 1) {
        struct store_key key;
        struct slice value;

        store_key_of(&key, slice_from(name));
        error = store_get(config, STORE_APP_AUTH_CONFIGS, &key, &value);
        if (error == 0)
            error = issuer_reading_add(reading, value);
        else if (error == -ENOENT)
            error = 0;
    }
    return error;
}

int issuer_list_read_app(struct issuer_list **out, struct store *config, struct slice app)
{
    struct issuer_reading reading;
    struct store_key key;
    int error;

    *out = NULL;
    store_key_of(&key, app);
    store_key_plain(&key, "");
    if (key.impossible)
        return 0;
    error = issuer_reading_begin(&reading);
    if (error != 0)
        return error;
    error = store_scan(config, STORE_BINDINGS, store_key_slice(&key), slice_make(NULL, 0),
                       issuer_visit_binding, &reading);
    if (error == 0 && buffer_size(&reading.configs) == 0) {
        free(reading.list);
        return 0;
    }
    if (error == 0)
        error = issuer_reading_configs(&reading, config);
    return issuer_reading_end(&reading, error, out);
}

int issuer_list_read_all(struct issuer_list **out, struct store *config)
{
    struct issuer_reading reading;
    int error = issuer_reading_begin(&reading);

    if (error != 0)
        return error;
    error = store_scan(config, STORE_APP_AUTH_CONFIGS, slice_make(NULL, 0), slice_make(NULL, 0),
                       issuer_visit_config, &reading);
    return issuer_reading_end(&reading, error, out);
}

void issuer_list_free(struct issuer_list *list)
{
    if (list == NULL)
        return;
    free(list->text);
    free(list->scope_text);
    free(list);
}
