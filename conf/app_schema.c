#include "conf/app_schema.h"

#include "shared/app_record.h"
#include "shared/uri.h"

#include <stddef.h>

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

const char *app_method_check(struct slice name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= 0x20 || name.data[i] >= 0x7f || name.data[i] == '*')
            return "must be the exact name of a method, without blanks or wildcards";
    return name.size <= APP_METHOD_NAME_MAX ? NULL : "is longer than 128 bytes";
}

#define APP(field) .offset = offsetof(struct app_form, field)
#define LATER "it comes with a later release"

/* The keys that stand alike in both shapes; `at` is what leads to them. */
#define APP_ROWS(at)                                                                         \
    {.path = at "uri",                                                                       \
     .type = SCHEMA_STRING,                                                                  \
     APP(uri),                                                                               \
     .hint = "such as mcp+http://localhost:3001/mcp"},                                       \
        {.path = at "public_addr",                                                           \
         .type = SCHEMA_STRING,                                                              \
         APP(public_addr),                                                                   \
         .check = app_public_addr_check},                                                    \
        {.path = at "insecure_skip_verify", .type = SCHEMA_BOOL, APP(insecure_skip_verify)}, \
        {.path = at "ca", .type = SCHEMA_PATH, APP(ca)},                                     \
        {.path = at "rewrite", .type = SCHEMA_MAPPING},                                      \
        {.path = at "rewrite.headers",                                                       \
         .type = SCHEMA_LIST,                                                                \
         APP(headers),                                                                       \
         .low = 0,                                                                           \
         .high = APP_HEADERS_MAX},                                                           \
        {.path = at "rewrite.redirect", .type = SCHEMA_REFUSED, .hint = LATER},              \
        {.path = at "rewrite.jwt_claims", .type = SCHEMA_REFUSED, .hint = LATER},            \
        {.path = at "commands", .type = SCHEMA_REFUSED, .hint = LATER},                      \
        {.path = at "dynamic_labels", .type = SCHEMA_REFUSED, .hint = LATER},                \
        {.path = at "required_apps", .type = SCHEMA_REFUSED, .hint = LATER},                 \
        {.path = at "cors", .type = SCHEMA_REFUSED, .hint = LATER},                          \
    {                                                                                        \
        .path = at "mcp", .type = SCHEMA_ANY, APP(mcp)                                       \
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

/* What `mcp` says of a server that is connected to. */
static const struct schema_row app_mcp_rows[] = {
    {.path = "allowed_methods",
     .type = SCHEMA_STRINGS,
     APP(methods),
     .low = 0,
     .high = APP_METHODS_MAX,
     .check = app_method_check},
};

const struct schema app_mcp_schema = {.rows = app_mcp_rows,
                                      .count = sizeof(app_mcp_rows) / sizeof(app_mcp_rows[0])};
