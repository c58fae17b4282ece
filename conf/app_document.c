#include "conf/app_document.h"

#include "conf/app_schema.h"
#include "conf/document_hash.h"
#include "conf/header_document.h"
#include "conf/label_document.h"
#include "conf/stdio_document.h"
#include "shared/store.h"
#include "shared/uri.h"

#include <stdio.h>

#define STDIO_SCHEME "mcp+stdio://"

enum {
    KEY_MAX = 512,               /* bytes of a key's path */
    APP_ADDRESSES_ROOM = 640,    /* bytes that an endpoint's addresses may add to a record */
    APP_PROBE_TIMEOUT = 2000,    /* milliseconds: a server that takes longer serves nobody well */
    APP_DEBUG_ADDRESS_MAX = 264, /* bytes of "debug." and a host name */
};

/* One reading of an app, in either shape. */
struct app_reading {
    struct schema_context *context;
    const struct yaml_node *root; /* the mapping that the table was walked over */
    const char *prefix;           /* what leads to root */
    const char *metadata;         /* "metadata." in a document, "" in app_service */
    const char *spec;             /* "spec." in a document, "" in app_service */
    struct app_form form;
    struct app_document *out;
};

static const char *app_key(const struct app_reading *reading, const char *name, char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, "%s%s", reading->spec, name);
    return out;
}

/* The node of a key under `spec`, for its place; the root when it is absent. */
static const struct yaml_node *app_node(const struct app_reading *reading, const char *name)
{
    char path[KEY_MAX];
    const struct yaml_node *node = yaml_find(reading->root, app_key(reading, name, path));

    return node == NULL ? reading->root : node;
}

static void app_error(const struct app_reading *reading, const char *name, const char *hint,
                      const char *reason)
{
    char key[KEY_MAX];

    schema_error(reading->context, app_node(reading, name), reading->prefix,
                 app_key(reading, name, key), hint, "%s", reason);
}

/* Kinds of Teleport's that we know of and do not serve: better than "the scheme must be". */
static const char *uri_unsupported(struct slice uri)
{
    static const char *const schemes[] = {"tcp://", NULL};

    for (const char *const *scheme = schemes; *scheme != NULL; scheme++)
        if (slice_has_prefix(uri, slice_from(*scheme)))
            return "this kind of server is not supported by this release";
    return NULL;
}

static bool app_transport_of(struct slice scheme, enum app_transport *out)
{
    if (slice_is(scheme, "mcp+http") || slice_is(scheme, "mcp+https"))
        *out = APP_MCP_HTTP;
    else if (slice_is(scheme, "mcp+sse+http") || slice_is(scheme, "mcp+sse+https"))
        *out = APP_MCP_SSE;
    else if (slice_is(scheme, "http") || slice_is(scheme, "https"))
        *out = APP_HTTP;
    else
        return false;
    return true;
}

/* Adds an endpoint. NULL, or why it cannot be; *hint says what to do. */
static const char *app_add_endpoint(struct app_record *record, struct slice text, uint8_t draining,
                                    const char **hint)
{
    const char *reason = uri_unsupported(text);
    struct app_endpoint *endpoint = &record->endpoints[record->endpoint_count];
    enum app_transport transport;
    struct uri uri;

    *hint = "use mcp+http:// or mcp+https://, or put a bridge before it";
    if (reason != NULL)
        return reason;
    *hint = "give it an app of its own, with `uri`";
    if (slice_has_prefix(text, slice_from(STDIO_SCHEME)))
        return "a stdio server is no endpoint";
    *hint = "such as mcp+http://localhost:3001/mcp";
    if (uri_parse(text, &uri, &reason) < 0)
        return reason;
    if (!app_transport_of(uri.scheme, &transport))
        return "the scheme must be mcp+http, mcp+https, mcp+sse+http, mcp+sse+https, mcp+stdio, "
               "http or https";
    if (uri.query.size > 0)
        return "a query is not supported";
    if (record->endpoint_count > 0 && transport != record->transport)
        return "the endpoints of an app are all of one kind of server";
    record->transport = transport;
    *endpoint = (struct app_endpoint){.host = uri.host,
                                      .port = uri.port,
                                      .tls = uri.tls,
                                      .path = uri.path.size == 0 ? slice_from("/") : uri.path,
                                      .draining = draining};
    endpoint->id = app_endpoint_id(record->name, endpoint);
    for (size_t i = 0; i < record->endpoint_count; i++)
        if (record->endpoints[i].id == endpoint->id)
            return "is listed twice";
    record->endpoint_count++;
    return NULL;
}

static void app_read_endpoint(struct app_reading *reading, const struct yaml_node *node,
                              size_t index)
{
    struct app_endpoint_form form = {.uri = node->text};
    const char *reason, *hint;
    char key[64];
    char path[KEY_MAX];

    snprintf(key, sizeof(key), "%sendpoints[%zu]", reading->spec, index);
    snprintf(path, sizeof(path), "%s%s%s", reading->prefix, reading->prefix[0] == '\0' ? "" : ".",
             key);
    if (node->kind != YAML_SCALAR &&
        !schema_read(&app_endpoint_schema, node, path, reading->context, &form))
        return;
    reason = app_add_endpoint(&reading->out->record, form.uri,
                              form.state == APP_ENDPOINT_DRAIN ? APP_DRAIN_DOCUMENT : 0, &hint);
    if (reason != NULL)
        schema_error(reading->context, node, reading->prefix, key, hint, "%s", reason);
}

/* As the tables do: unless the mapping around it is missing, or it is there and wrong. */
static void app_require_uri(const struct app_reading *reading)
{
    bool document = reading->spec[0] != '\0';
    const struct yaml_node *around = document ? yaml_find(reading->root, "spec") : reading->root;
    const struct yaml_node *node = yaml_find(around, "uri");

    if (around != NULL && around->kind == YAML_MAPPING && node == NULL)
        schema_error(reading->context, around, reading->prefix, document ? "spec.uri" : "uri",
                     "such as mcp+http://localhost:3001/mcp", "is required");
}

static void app_read_endpoints(struct app_reading *reading)
{
    const struct yaml_node *list = reading->form.endpoints;
    const char *hint;
    size_t index = 0;

    if (list == NULL && reading->form.uri.size == 0) {
        app_require_uri(reading);
    } else if (list == NULL) {
        const char *reason = app_add_endpoint(&reading->out->record, reading->form.uri, 0, &hint);

        if (reason != NULL)
            app_error(reading, "uri", hint, reason);
    } else if (reading->form.uri.size > 0) {
        app_error(reading, "endpoints", "name the uri among them", "goes without `uri`");
    } else {
        for (const struct yaml_node *node = list->first; node != NULL; node = node->next, index++)
            if (index < APP_ENDPOINTS_MAX)
                app_read_endpoint(reading, node, index);
    }
}

/* Without a word of it only an app that has another endpoint to turn to is probed. */
static void app_read_health(struct app_reading *reading)
{
    static const enum app_probe probes[] = {[APP_HEALTH_TCP] = APP_PROBE_TCP,
                                            [APP_HEALTH_HTTP] = APP_PROBE_HTTP,
                                            [APP_HEALTH_MCP] = APP_PROBE_MCP,
                                            [APP_HEALTH_OFF] = APP_PROBE_OFF};
    struct app_record *record = &reading->out->record;
    const struct app_health_form *form = &reading->form.health;
    bool said = app_node(reading, "health_check") != reading->root;
    uint64_t timeout = form->interval < APP_PROBE_TIMEOUT ? form->interval : APP_PROBE_TIMEOUT;

    if (form->type == APP_HEALTH_MCP && record->transport != APP_MCP_HTTP)
        app_error(reading, "health_check.type", "use tcp or http",
                  "mcp goes with an MCP server of Streamable HTTP");
    if (form->type != APP_HEALTH_HTTP && form->path.size > 0)
        app_error(reading, "health_check.path", NULL, "goes with `type: http`");
    reading->out->health_said = said;
    reading->out->health = (struct app_health){
        .probe = probes[form->type],
        .path = form->path.size > 0 ? form->path : slice_from("/"),
        .interval = (uint32_t)form->interval,
        .timeout = (uint32_t)(form->timeout > 0 ? form->timeout : timeout),
        .rise = (uint32_t)form->rise,
        .fall = (uint32_t)form->fall,
    };
    if (said || record->endpoint_count > 1)
        record->health = reading->out->health;
}

/* The gate itself holds the sessions of Streamable HTTP alone: those of other servers are the
 * bridge's. */
static void app_read_loss(struct app_reading *reading)
{
    struct app_record *record = &reading->out->record;

    if (reading->form.on_loss == APP_LOSS_END)
        return;
    if (record->transport != APP_MCP_HTTP)
        app_error(reading, "on_endpoint_loss", NULL,
                  "goes with an MCP server of Streamable HTTP (mcp+http, mcp+https)");
    record->reinitialize = true;
}

/* What only a server that is connected to can have. */
static void app_refuse_connection_keys(const struct app_reading *reading)
{
    static const char reason[] = "makes no sense for a stdio server";

    if (reading->form.ca.size > 0)
        app_error(reading, "ca", NULL, reason);
    if (reading->form.insecure_skip_verify)
        app_error(reading, "insecure_skip_verify", NULL, reason);
    if (reading->form.headers != NULL)
        app_error(reading, "rewrite.headers", NULL, reason);
    if (reading->form.endpoints != NULL)
        app_error(reading, "endpoints", NULL, reason);
    if (app_node(reading, "health_check") != reading->root)
        app_error(reading, "health_check", NULL, reason);
}

/* The mapping, or NULL. */
static const struct yaml_node *app_mcp(const struct app_reading *reading)
{
    char path[KEY_MAX];

    return yaml_find(reading->root, app_key(reading, "mcp", path));
}

static void app_read_stdio(struct app_reading *reading)
{
    struct app_record *record = &reading->out->record;
    struct slice name = slice_skip(reading->form.uri, strlen(STDIO_SCHEME));
    const struct yaml_node *mapping = app_mcp(reading);
    char prefix[KEY_MAX];

    record->transport = APP_MCP_STDIO;
    if (name.size > 0 && !uri_is_dns_label(name))
        app_error(reading, "uri", "such as mcp+stdio://NAME", "only a name follows mcp+stdio://");
    app_refuse_connection_keys(reading);
    if (mapping == NULL) {
        app_error(reading, "mcp", "such as mcp: {command: /usr/bin/node, args: [server.js]}",
                  "is required for a stdio server");
        return;
    }
    snprintf(prefix, sizeof(prefix), "%s%s%smcp", reading->prefix,
             reading->prefix[0] == '\0' ? "" : ".", reading->spec);
    reading->out->stdio =
        stdio_document_read(&reading->form.stdio, mapping, prefix, record->name, reading->context);
    if (reading->out->stdio != NULL)
        record->revision = reading->out->stdio->app.revision;
}

/* A server is connected to by its URI, or started by its command. */
static void app_read_server(struct app_reading *reading)
{
    bool named = slice_has_prefix(reading->form.uri, slice_from(STDIO_SCHEME));
    bool started = stdio_document_is(app_mcp(reading));

    if (named || (started && reading->form.uri.size == 0)) {
        app_read_stdio(reading);
        return;
    }
    if (started)
        app_error(reading, "mcp", "leave uri out, or say mcp+stdio://NAME",
                  "starts a stdio server, which uri contradicts");
    app_read_endpoints(reading);
    app_read_health(reading);
}

static void app_read_labels(struct app_reading *reading)
{
    struct app_record *record = &reading->out->record;
    char prefix[KEY_MAX];

    snprintf(prefix, sizeof(prefix), "%s%s%slabels", reading->prefix,
             reading->prefix[0] == '\0' ? "" : ".", reading->metadata);
    record->label_count =
        labels_read(reading->form.labels, prefix, reading->context, record->labels, LABELS_MAX - 2);
    if (!app_transport_is_mcp(record->transport))
        return;
    record->labels[record->label_count++] =
        (struct label){.name = slice_from(LABEL_SUB_KIND), .value = slice_from("mcp")};
    record->labels[record->label_count++] =
        (struct label){.name = slice_from(LABEL_SUB_KIND_TELEPORT), .value = slice_from("mcp")};
}

static void app_read_methods(struct app_reading *reading)
{
    struct app_record *record = &reading->out->record;
    const struct yaml_node *node = reading->form.methods;

    if (node == NULL)
        return;
    if (record->transport == APP_HTTP)
        app_error(reading, "mcp.allowed_methods", NULL, "goes with an MCP server alone");
    if (node->kind == YAML_SCALAR) {
        record->methods[record->method_count++] = node->text;
        return;
    }
    for (node = node->first; node != NULL && record->method_count < APP_METHODS_MAX;
         node = node->next)
        record->methods[record->method_count++] = node->text;
}

static struct slice app_lower_case(struct slice text, struct schema_context *context)
{
    struct slice copy = arena_copy(context->arena, text);
    char *bytes = (char *)copy.data;

    for (size_t i = 0; i < copy.size && bytes != NULL; i++)
        if (bytes[i] >= 'A' && bytes[i] <= 'Z')
            bytes[i] = (char)(bytes[i] | 0x20);
    return copy;
}

/* An app in a record must fit with what the watcher adds to it. */
static void app_check_size(struct app_reading *reading)
{
    size_t added = APP_ADDRESSES_ROOM * reading->out->record.endpoint_count +
                   (reading->out->ca_file.size > 0 ? APP_CA_MAX : 0);
    struct buffer encoded = {0};

    if (app_record_encode(&reading->out->record, &encoded) != 0)
        schema_error(reading->context, reading->root, reading->prefix, "", NULL, "out of memory");
    else if (buffer_size(&encoded) + added > STORE_RECORD_MAX)
        schema_error(reading->context, reading->root, reading->prefix, "",
                     "shorten its labels or headers",
                     "the app takes %zu bytes, of which %zu fit in a record", buffer_size(&encoded),
                     STORE_RECORD_MAX - added);
    buffer_free(&encoded);
}

static void app_fill(struct app_reading *reading)
{
    struct app_record *record = &reading->out->record;
    char headers[KEY_MAX];

    record->name = reading->form.name;
    record->description = reading->form.description;
    record->insecure_skip_verify = reading->form.insecure_skip_verify;
    reading->out->ca_file = reading->form.ca;
    if (reading->form.public_addr.size > 0)
        record->public_addr = app_lower_case(reading->form.public_addr, reading->context);
    app_read_server(reading);
    app_read_loss(reading);
    app_read_labels(reading);
    app_read_methods(reading);
    snprintf(headers, sizeof(headers), "%s%s%srewrite.headers", reading->prefix,
             reading->prefix[0] == '\0' ? "" : ".", reading->spec);
    if (reading->form.headers != NULL)
        record->header_count = headers_read(reading->form.headers, headers, reading->context,
                                            record->headers, APP_HEADERS_MAX);
    if (record->transport == APP_HTTP && record->public_addr.size == 0)
        app_error(reading, "public_addr", "such as NAME.gate.example.com",
                  "is required for a web app, which is reached by its host name");
    if (reading->form.ca.size > 0 && reading->form.insecure_skip_verify)
        app_error(reading, "insecure_skip_verify", "keep `ca` alone",
                  "makes no sense with a `ca` to verify by");
    app_check_size(reading);
}

static void app_read(struct app_reading *reading, const struct schema *schema, struct document *out)
{
    size_t before = reading->context->diagnostics->errors;

    *out = (struct document){.kind = DOCUMENT_APP, .place = reading->root->place};
    reading->out = &out->app;
    schema_read(schema, reading->root, reading->prefix, reading->context, &reading->form);
    app_fill(reading);
    out->name = reading->form.name;
    if (reading->context->diagnostics->errors == before)
        document_hash(out, reading->context->arena);
    out->state = out->hash.size > 0 ? DOCUMENT_GOOD : DOCUMENT_REFUSED;
}

void app_document_read_entry(const struct yaml_node *node, const char *prefix,
                             struct schema_context *context, struct document *out)
{
    struct app_reading reading = {
        .context = context, .root = node, .prefix = prefix, .metadata = "", .spec = ""};

    app_read(&reading, &app_entry_schema, out);
}

void app_document_read(const struct yaml_node *root, struct schema_context *context,
                       struct document *out)
{
    struct app_reading reading = {
        .context = context, .root = root, .prefix = "", .metadata = "metadata.", .spec = "spec."};

    app_read(&reading, &app_document_schema, out);
}

void app_document_make_debug(struct place place, struct slice gate_host,
                             struct schema_context *context, struct document *out)
{
    struct app_record *record = &out->app.record;
    char address[APP_DEBUG_ADDRESS_MAX];

    *out = (struct document){.kind = DOCUMENT_APP, .name = slice_from("debug"), .place = place};
    record->name = out->name;
    record->description = slice_from("Shows what an app would receive");
    record->transport = APP_DEBUG;
    record->labels[record->label_count++] =
        (struct label){.name = slice_from("gatehouse/app-kind"), .value = slice_from("debug")};
    snprintf(address, sizeof(address), "debug.%.*s", (int)gate_host.size, gate_host.data);
    if (uri_is_dns_name(gate_host) && uri_is_dns_name(slice_from(address)))
        record->public_addr = arena_copy(context->arena, slice_from(address));
    document_hash(out, context->arena);
    out->state = out->hash.size > 0 ? DOCUMENT_GOOD : DOCUMENT_REFUSED;
}
