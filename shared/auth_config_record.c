#include "shared/auth_config_record.h"

#include "shared/record.h"

#include <errno.h>

int auth_config_record_encode(const struct auth_config_record *config, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put(&writer, "name", config->name);
    record_put_number(&writer, "revision", (int64_t)config->revision);
    record_put(&writer, "issuer", config->issuer);
    for (size_t i = 0; i < config->audience_count; i++)
        record_put(&writer, "audience", config->audiences[i]);
    record_put(&writer, "username_claim", config->username_claim);
    record_put_number(&writer, "algorithms", config->algorithms);
    record_put_number(&writer, "clock_skew", config->clock_skew);
    record_put_number(&writer, "max_token_age", config->max_token_age);
    record_put_number(&writer, "max_session_ttl", config->max_session_ttl);
    record_put_number(&writer, "allow_unverified_email", config->allow_unverified_email);
    for (size_t i = 0; i < config->required_claim_count; i++) {
        record_put(&writer, "claim", config->required_claims[i].name);
        record_put(&writer, "value", config->required_claims[i].value);
    }
    for (size_t i = 0; i < config->required_scope_count; i++)
        record_put(&writer, "scope", config->required_scopes[i]);
    if (config->role_mappings.size > 0)
        record_put(&writer, "claims_to_roles", config->role_mappings);
    record_put_number(&writer, "keys_static", config->keys_static);
    record_put_number(&writer, "keys_usable", config->keys_usable);
    record_put_number(&writer, "last_fetch_ok", config->last_fetch_ok);
    record_put_number(&writer, "keys_fetched", config->keys_fetched);
    record_put_number(&writer, "next_refresh", config->next_refresh);
    return record_finish(&writer);
}

static void auth_config_record_get_rules(struct record_reader *reader,
                                         struct auth_config_record *out)
{
    /* More claims than fit are left over, which record_end refuses. */
    while (out->required_claim_count < AUTH_CLAIMS_MAX && record_next_is(reader, "claim")) {
        struct auth_claim *claim = &out->required_claims[out->required_claim_count++];

        claim->name = record_get(reader, "claim");
        claim->value = record_get(reader, "value");
    }
    out->required_scope_count =
        record_get_list(reader, "scope", out->required_scopes, AUTH_SCOPES_MAX);
    if (record_next_is(reader, "claims_to_roles"))
        out->role_mappings = record_get(reader, "claims_to_roles");
    if (!role_mappings_are_sound(out->role_mappings))
        reader->failed = true;
}

int auth_config_record_decode(struct slice bytes, struct auth_config_record *out)
{
    struct record_reader reader;

    *out = (struct auth_config_record){0};
    record_open(&reader, bytes, '1');
    out->name = record_get(&reader, "name");
    out->revision = (uint64_t)record_get_number(&reader, "revision");
    out->issuer = record_get(&reader, "issuer");
    out->audience_count = record_get_list(&reader, "audience", out->audiences, AUTH_AUDIENCES_MAX);
    out->username_claim = record_get(&reader, "username_claim");
    out->algorithms = (uint32_t)record_get_range(&reader, "algorithms", 0, UINT32_MAX);
    out->clock_skew = record_get_range(&reader, "clock_skew", 0, 300);
    out->max_token_age = record_get_range(&reader, "max_token_age", 0, INT32_MAX);
    out->max_session_ttl = record_get_range(&reader, "max_session_ttl", 0, INT32_MAX);
    out->allow_unverified_email = record_get_range(&reader, "allow_unverified_email", 0, 1) != 0;
    auth_config_record_get_rules(&reader, out);
    out->keys_static = record_get_range(&reader, "keys_static", 0, 1) != 0;
    out->keys_usable = record_get_range(&reader, "keys_usable", 0, 1) != 0;
    out->last_fetch_ok = record_get_range(&reader, "last_fetch_ok", 0, 1) != 0;
    out->keys_fetched = record_get_range(&reader, "keys_fetched", 0, INT64_MAX);
    out->next_refresh = record_get_range(&reader, "next_refresh", 0, INT64_MAX);
    /* A config without an audience could only be meant to accept every token of its issuer. */
    if (out->revision == 0 || out->audience_count == 0)
        return -EBADMSG;
    return record_end(&reader);
}

int binding_record_encode(const struct binding_record *binding, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put(&writer, "config", binding->config);
    return record_finish(&writer);
}

int binding_record_decode(struct slice bytes, struct binding_record *out)
{
    struct record_reader reader;

    *out = (struct binding_record){0};
    record_open(&reader, bytes, '1');
    out->config = record_get(&reader, "config");
    return record_end(&reader);
}

size_t binding_record_room(const struct auth_config_record *config, struct slice app)
{
    size_t room = 1;

    for (size_t i = 0; i < config->audience_count; i++)
        room += config->audiences[i].size + app.size;
    return room;
}

/* An audience for this app: as it is, or filled in at *room, which grows by what it takes. */
static struct slice audience_fill(struct slice audience, struct slice app, char **room)
{
    struct slice mark = slice_from(AUTH_AUDIENCE_APP);
    const char *at = memmem(audience.data, audience.size, mark.data, mark.size);
    size_t before = at == NULL ? 0 : (size_t)(at - audience.data);
    size_t after;
    char *filled = *room;

    if (at == NULL)
        return audience;
    after = audience.size - before - mark.size;
    memcpy(filled, audience.data, before);
    memcpy(filled + before, app.data, app.size);
    memcpy(filled + before + app.size, at + mark.size, after);
    *room += before + app.size + after;
    return slice_make(filled, before + app.size + after);
}

void binding_record_fill(struct binding_record *binding, const struct auth_config_record *config,
                         struct slice app, char *room)
{
    for (size_t i = 0; i < config->audience_count; i++)
        binding->audiences[i] = audience_fill(config->audiences[i], app, &room);
    binding->audience_count = config->audience_count;
}
