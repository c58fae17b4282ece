#include "master/session_print.h"

#include "master/time_text.h"

#include <inttypes.h>

enum { SESSION_PRINT_SHORT = 12 }; /* characters of an id: an id is not shown whole unasked */

const char *const session_print_headings[SESSION_PRINT_COLUMNS] = {
    "ID", "USER", "ISSUER", "APP", "CREATED", "EXPIRES", "CLIENT"};

void session_print_row(struct table *table, struct slice id, const struct session_record *session,
                       int64_t now, bool wide)
{
    char created[TIME_SPAN_SIZE], expires[TIME_SPAN_SIZE];

    time_relative(session->created, now, created);
    time_relative(session->expires, now, expires);
    if (!wide && id.size > SESSION_PRINT_SHORT)
        id.size = SESSION_PRINT_SHORT;
    table_cell(table, id);
    table_cell(table, session->user);
    table_cell(table, session->issuer);
    table_cell(table, session->app);
    table_cell(table, slice_from(created));
    table_cell(table, slice_from(expires));
    table_cell(table, session->client_address);
}

static void session_print_field(struct table *table, const char *name, struct slice value)
{
    table_cell(table, slice_from(name));
    table_cell(table, value.size == 0 ? slice_from("-") : value);
}

static void session_print_time(struct table *table, const char *name, int64_t time, int64_t now)
{
    char text[TIME_TEXT_SIZE], relative[TIME_SPAN_SIZE];

    time_text_local(time, text);
    time_relative(time, now, relative);
    table_cell(table, slice_from(name));
    if (time == 0)
        table_cell(table, slice_from("-"));
    else
        table_cell_format(table, "%s (%s)", text, relative);
}

static void session_print_list(struct table *table, const char *name, const struct slice *values,
                               size_t count)
{
    for (size_t i = 0; i < count; i++)
        session_print_field(table, name, values[i]);
}

void session_print_fields(struct table *table, struct slice id,
                          const struct session_record *session, int64_t now)
{
    session_print_field(table, "id", id);
    session_print_field(table, "app", session->app);
    session_print_field(table, "user", session->user);
    session_print_field(table, "subject", session->subject);
    session_print_field(table, "issuer", session->issuer);
    session_print_list(table, "role", session->roles, session->role_count);
    session_print_field(table, "client", session->client_address);
    session_print_time(table, "created", session->created, now);
    session_print_time(table, "expires", session->expires, now);
    session_print_field(table, "config", session->config);
    table_cell(table, slice_from("revision"));
    table_cell_format(table, "%" PRIx64, session->revision);
    session_print_list(table, "audience", session->audiences, session->audience_count);
    session_print_list(table, "scope", session->scopes, session->scope_count);
    for (size_t i = 0; i < session->claim_count; i++) {
        table_cell_format(table, "claim %.*s", (int)session->claims[i].name.size,
                          session->claims[i].name.data);
        table_cell(table, session->claims[i].value);
    }
    session_print_field(table, "algorithm", session->algorithm);
    session_print_field(table, "kid", session->kid);
    session_print_field(table, "key thumbprint", session->key_thumbprint);
    session_print_field(table, "jti", session->jti);
    session_print_time(table, "token issued", session->issued_at, now);
    session_print_time(table, "token not before", session->not_before, now);
    session_print_time(table, "token expires", session->expires_at, now);
    session_print_field(table, "signing input sha256", session->signing_input);
}

static void session_print_judgement_json(struct json_writer *json,
                                         const struct session_record *session)
{
    char revision[20];

    snprintf(revision, sizeof(revision), "%" PRIx64, session->revision);
    json_writer_string(json, "config", session->config);
    json_writer_string(json, "revision", slice_from(revision));
    json_writer_strings(json, "audiences", session->audiences, session->audience_count);
    json_writer_strings(json, "scopes", session->scopes, session->scope_count);
    /* The values are JSON texts: one that is left as text cannot break this document. */
    json_writer_open(json, "claims", '[');
    for (size_t i = 0; i < session->claim_count; i++) {
        json_writer_open(json, NULL, '{');
        json_writer_string(json, "name", session->claims[i].name);
        json_writer_string(json, "json", session->claims[i].value);
        json_writer_close(json, '}');
    }
    json_writer_close(json, ']');
    json_writer_string(json, "algorithm", session->algorithm);
    json_writer_optional(json, "kid", session->kid);
    json_writer_optional(json, "key_thumbprint", session->key_thumbprint);
    json_writer_optional(json, "jti", session->jti);
    json_writer_time(json, "token_issued", session->issued_at);
    json_writer_time(json, "token_not_before", session->not_before);
    json_writer_time(json, "token_expires", session->expires_at);
    json_writer_optional(json, "signing_input_sha256", session->signing_input);
}

void session_print_json(struct json_writer *json, struct slice id,
                        const struct session_record *session)
{
    json_writer_open(json, NULL, '{');
    json_writer_string(json, "id", id);
    json_writer_string(json, "app", session->app);
    json_writer_string(json, "user", session->user);
    json_writer_optional(json, "subject", session->subject);
    json_writer_string(json, "issuer", session->issuer);
    json_writer_strings(json, "roles", session->roles, session->role_count);
    json_writer_optional(json, "client", session->client_address);
    json_writer_time(json, "created", session->created);
    json_writer_time(json, "expires", session->expires);
    session_print_judgement_json(json, session);
    json_writer_close(json, '}');
}
