#include "conf/app_schema.h"

#include "shared/app_record.h"
#include "shared/uri.h"

#include <limits.h>
#include <stddef.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND UINT64_C(1000)
#define HOUR (3600 * SECOND)

enum {
    APP_DESCRIPTION_MAX = 1024,      /* bytes */
    APP_LABELS_MAX = LABELS_MAX - 4, /* leaves room for the labels that we add */
};

static const char *const versions[] = {"v1", "v3", NULL}; /* v3 is what Teleport's apps say */
static const char *const kinds[] = {"app", NULL};

static const char *app_name_check(struct slice name)
{
    return uri_is_dns_label(name) ? NULL
                                  : "must be a DNS label: a to z, 0 to 9 and '-', at most 63";
}

static const char *app_public_addr_check(struct slice host)
{
    if (uri_is_dns_name(host))
        return NULL;
    if (memchr(host.data, '/', host.size) != NULL || memchr(host.data, ':', host.size) != NULL)
        return "must be a host name alone, without scheme, port or path";
    return "must be a host name, not an IP address or anything else";
}

static const char *app_method_check(struct slice name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= 0x20 || name.data[i] >= 0x7f || name.data[i] == '*')
            return "must be the exact name of a method, without blanks or wildcards";
    return name.size <= APP_METHOD_NAME_MAX ? NULL : "is longer than 128 bytes";
}

static const char *app_path_check(struct slice path)
{
    for (size_t i = 0; i < path.size; i++)
        if (path.data[i] <= 0x20 || path.data[i] >= 0x7f || path.data[i] == '#')
            return "must be a path and query of visible ASCII, without a fragment";
    return path.size > 0 && path.data[0] == '/' ? NULL : "must begin with '/'";
}

/* In the order of enum app_health_type, of enum app_loss_form, and of enum app_endpoint_state. */
static const char *const health_types[] = {"tcp", "http", "mcp", "off", NULL};
static const char *const losses[] = {"end", "reinitialize", NULL};
static const char *const endpoint_states[] = {"active", "drain", NULL};

#define APP(field) .offset = offsetof(struct app_form, field)
#define STDIO(field) APP(stdio.field)
#define LATER "it comes with a later release"

/* The defaults: a dead server is left after 10 s without a probe's help from a request, costs each
 * of its live fellows a connection every 5 s, and is taken back by its first answer: what flaps is
 * held back by `fall`, and by what workers remember. */
#define APP_HEALTH_ROWS(at)                                                                 \
    {.path = at "health_check", .type = SCHEMA_MAPPING},                                    \
        {.path = at "health_check.type",                                                    \
         .type = SCHEMA_CHOICE,                                                             \
         APP(health.type),                                                                  \
         .fallback = "tcp",                                                                 \
         .choices = health_types},                                                          \
        {.path = at "health_check.path",                                                    \
         .type = SCHEMA_STRING,                                                             \
         APP(health.path),                                                                  \
         .low = 1,                                                                          \
         .high = 1024,                                                                      \
         .check = app_path_check},                                                          \
        {.path = at "health_check.interval",                                                \
         .type = SCHEMA_DURATION,                                                           \
         APP(health.interval),                                                              \
         .low = 10,                                                                         \
         .high = 3600000,                                                                   \
         .fallback = "5s"},                                                                 \
        {.path = at "health_check.timeout",                                                 \
         .type = SCHEMA_DURATION,                                                           \
         APP(health.timeout),                                                               \
         .low = 10,                                                                         \
         .high = 60000},                                                                    \
        {.path = at "health_check.rise",                                                    \
         .type = SCHEMA_INTEGER,                                                            \
         APP(health.rise),                                                                  \
         .low = 1,                                                                          \
         .high = 10,                                                                        \
         .fallback = "1"},                                                                  \
    {                                                                                       \
        .path = at "health_check.fall", .type = SCHEMA_INTEGER, APP(health.fall), .low = 1, \
        .high = 10, .fallback = "2"                                                         \
    }

/* The keys that stand alike in both shapes; `at` is what leads to them. on_endpoint_loss is `end`
 * unless one says so: a server may remember of a session what no initialize brings back, and only
 * its operator knows. Of a stdio server:
 * - env comes beside PATH, HOME, LANG and TZ, which it always gets; nothing else is inherited.
 * - scope: a process is not a conversation: unless one says so, two sessions never share one.
 * - limits.max_servers: where it is absent gate.stdio.max_servers_per_app holds.
 * - limits.open_files: enough for an interpreter and its sockets; a leak ends in errors, not in a
 *   full machine. The other limits hold only where one says so: each breaks programs that are not
 *   made for it. */
#define APP_ROWS(at)                                                                              \
    {.path = at "uri",                                                                            \
     .type = SCHEMA_STRING,                                                                       \
     APP(uri),                                                                                    \
     .hint = "such as mcp+http://localhost:3001/mcp"},                                            \
        {.path = at "endpoints",                                                                  \
         .type = SCHEMA_LIST,                                                                     \
         APP(endpoints),                                                                          \
         .low = 1,                                                                                \
         .high = APP_ENDPOINTS_MAX},                                                              \
        APP_HEALTH_ROWS(at),                                                                      \
        {.path = at "on_endpoint_loss",                                                           \
         .type = SCHEMA_CHOICE,                                                                   \
         APP(on_loss),                                                                            \
         .fallback = "end",                                                                       \
         .choices = losses},                                                                      \
        {.path = at "public_addr",                                                                \
         .type = SCHEMA_STRING,                                                                   \
         APP(public_addr),                                                                        \
         .check = app_public_addr_check},                                                         \
        {.path = at "insecure_skip_verify", .type = SCHEMA_BOOL, APP(insecure_skip_verify)},      \
        {.path = at "ca", .type = SCHEMA_PATH, APP(ca)},                                          \
        {.path = at "rewrite", .type = SCHEMA_MAPPING},                                           \
        {.path = at "rewrite.headers",                                                            \
         .type = SCHEMA_LIST,                                                                     \
         APP(headers),                                                                            \
         .low = 0,                                                                                \
         .high = APP_HEADERS_MAX},                                                                \
        {.path = at "rewrite.redirect", .type = SCHEMA_REFUSED, .hint = LATER},                   \
        {.path = at "rewrite.jwt_claims", .type = SCHEMA_REFUSED, .hint = LATER},                 \
        {.path = at "commands", .type = SCHEMA_REFUSED, .hint = LATER},                           \
        {.path = at "dynamic_labels", .type = SCHEMA_REFUSED, .hint = LATER},                     \
        {.path = at "required_apps", .type = SCHEMA_REFUSED, .hint = LATER},                      \
        {.path = at "cors", .type = SCHEMA_REFUSED, .hint = LATER},                               \
        {.path = at "mcp", .type = SCHEMA_MAPPING},                                               \
        {.path = at "mcp.command",                                                                \
         .type = SCHEMA_STRING,                                                                   \
         STDIO(command),                                                                          \
         .low = 1,                                                                                \
         .high = PATH_MAX - 1,                                                                    \
         .check = stdio_command_check,                                                            \
         .hint = "such as /usr/bin/node"},                                                        \
        {.path = at "mcp.args",                                                                   \
         .type = SCHEMA_LIST,                                                                     \
         STDIO(arguments),                                                                        \
         .low = 0,                                                                                \
         .high = STDIO_ARGUMENTS_MAX},                                                            \
        {.path = at "mcp.env",                                                                    \
         .type = SCHEMA_MAP,                                                                      \
         STDIO(variables),                                                                        \
         .low = 0,                                                                                \
         .high = STDIO_VARIABLES_MAX},                                                            \
        {.path = at "mcp.working_dir", .type = SCHEMA_PATH, STDIO(working_dir), .fallback = "/"}, \
        {.path = at "mcp.run_as_host_user",                                                       \
         .type = SCHEMA_STRING,                                                                   \
         STDIO(user),                                                                             \
         .low = 1,                                                                                \
         .high = STDIO_USER_MAX},                                                                 \
        {.path = at "mcp.scope",                                                                  \
         .type = SCHEMA_CHOICE,                                                                   \
         STDIO(scope),                                                                            \
         .fallback = "session",                                                                   \
         .choices = stdio_scopes},                                                                \
        {.path = at "mcp.limits", .type = SCHEMA_MAPPING},                                        \
        {.path = at "mcp.limits.max_servers",                                                     \
         .type = SCHEMA_INTEGER,                                                                  \
         STDIO(max_servers),                                                                      \
         .low = 1,                                                                                \
         .high = 10000},                                                                          \
        {.path = at "mcp.limits.open_files",                                                      \
         .type = SCHEMA_INTEGER,                                                                  \
         STDIO(limits.open_files),                                                                \
         .low = 16,                                                                               \
         .high = 1048576,                                                                         \
         .fallback = "1024"},                                                                     \
        {.path = at "mcp.limits.processes",                                                       \
         .type = SCHEMA_INTEGER,                                                                  \
         STDIO(limits.processes),                                                                 \
         .low = 1,                                                                                \
         .high = 100000},                                                                         \
        {.path = at "mcp.limits.memory",                                                          \
         .type = SCHEMA_SIZE,                                                                     \
         STDIO(limits.memory),                                                                    \
         .low = MIB,                                                                              \
         .high = 1024 * GIB},                                                                     \
        {.path = at "mcp.limits.cpu_time",                                                        \
         .type = SCHEMA_DURATION,                                                                 \
         STDIO(limits.cpu_time),                                                                  \
         .low = SECOND,                                                                           \
         .high = 1000 * HOUR},                                                                    \
    {                                                                                             \
        .path = at "mcp.allowed_methods", .type = SCHEMA_STRINGS, APP(methods), .low = 0,         \
        .high = APP_METHODS_MAX, .check = app_method_check                                        \
    }

/* What names an app, under the mapping `at`. */
#define APP_NAME_ROWS(at)                                                                      \
    {.path = at "name",                                                                        \
     .type = SCHEMA_STRING,                                                                    \
     .required = true,                                                                         \
     APP(name),                                                                                \
     .check = app_name_check},                                                                 \
        {.path = at "description",                                                             \
         .type = SCHEMA_STRING,                                                                \
         APP(description),                                                                     \
         .low = 1,                                                                             \
         .high = APP_DESCRIPTION_MAX},                                                         \
    {                                                                                          \
        .path = at "labels", .type = SCHEMA_MAP, APP(labels), .low = 0, .high = APP_LABELS_MAX \
    }

static const struct schema_row app_entry_rows[] = {APP_NAME_ROWS(""), APP_ROWS("")};

const struct schema app_entry_schema = {
    .rows = app_entry_rows, .count = sizeof(app_entry_rows) / sizeof(app_entry_rows[0])};

static const struct schema_row app_document_rows[] = {
    {.path = "version", .type = SCHEMA_CHOICE, .required = true, APP(version), .choices = versions},
    {.path = "kind", .type = SCHEMA_CHOICE, .required = true, APP(kind), .choices = kinds},
    {.path = "metadata", .type = SCHEMA_MAPPING, .required = true},
    APP_NAME_ROWS("metadata."),
    {.path = "spec", .type = SCHEMA_MAPPING, .required = true},
    APP_ROWS("spec."),
};

const struct schema app_document_schema = {
    .rows = app_document_rows, .count = sizeof(app_document_rows) / sizeof(app_document_rows[0])};

static const struct schema_row app_endpoint_rows[] = {
    {.path = "uri",
     .type = SCHEMA_STRING,
     .required = true,
     .offset = offsetof(struct app_endpoint_form, uri)},
    {.path = "state",
     .type = SCHEMA_CHOICE,
     .offset = offsetof(struct app_endpoint_form, state),
     .fallback = "active",
     .choices = endpoint_states},
};

const struct schema app_endpoint_schema = {
    .rows = app_endpoint_rows, .count = sizeof(app_endpoint_rows) / sizeof(app_endpoint_rows[0])};

static const struct schema_row app_header_rows[] = {
    {.path = "name",
     .type = SCHEMA_STRING,
     .required = true,
     .offset = offsetof(struct app_header_form, name)},
    {.path = "value",
     .type = SCHEMA_STRING,
     .required = true,
     .offset = offsetof(struct app_header_form, value)},
};

const struct schema app_header_schema = {
    .rows = app_header_rows, .count = sizeof(app_header_rows) / sizeof(app_header_rows[0])};
