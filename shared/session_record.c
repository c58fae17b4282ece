#include "shared/session_record.h"

#include "shared/record.h"

void session_id_make(struct session_id *id, const char *kind, struct slice app, struct slice token)
{
    /* The NUL ends the app's name: no app and token share their bytes with another pair. */
    struct slice parts[] = {app, slice_make("", 1), token};
    struct digest digest;
    size_t kind_size = SESSION_ID_SIZE - DIGEST_HEX_SIZE;

    memcpy(id->text, kind, kind_size);
    digest_of_parts(parts, sizeof(parts) / sizeof(parts[0]), &digest);
    digest_hex(&digest, id->text + kind_size);
}

static void session_record_put_list(struct record_writer *writer, const char *name,
                                    const struct slice *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        record_put(writer, name, values[i]);
}

static void session_record_put_judgement(struct record_writer *writer,
                                         const struct session_record *session)
{
    record_put(writer, "config", session->config);
    record_put_number(writer, "revision", (int64_t)session->revision);
    record_put(writer, "issuer", session->issuer);
    session_record_put_list(writer, "audience", session->audiences, session->audience_count);
    record_put(writer, "kid", session->kid);
    record_put(writer, "key_thumbprint", session->key_thumbprint);
    record_put(writer, "algorithm", session->algorithm);
    record_put_number(writer, "issued_at", session->issued_at);
    record_put_number(writer, "not_before", session->not_before);
    record_put_number(writer, "expires_at", session->expires_at);
    session_record_put_list(writer, "scope", session->scopes, session->scope_count);
    for (size_t i = 0; i < session->claim_count; i++) {
        record_put(writer, "claim", session->claims[i].name);
        record_put(writer, "value", session->claims[i].value);
    }
    session_record_put_list(writer, "role", session->roles, session->role_count);
    record_put(writer, "jti", session->jti);
    record_put(writer, "signing_input", session->signing_input);
}

int session_record_encode(const struct session_record *session, struct buffer *out)
{
    struct record_writer writer;

    /* At once; a failure shows below. */
    buffer_reserve(out, SESSION_RECORD_USUAL);
    record_begin(&writer, out, '1');
    /* First what an operator looks for, then what the judgement used. */
    record_put(&writer, "app", session->app);
    record_put(&writer, "user", session->user);
    record_put(&writer, "subject", session->subject);
    record_put(&writer, "client_address", session->client_address);
    record_put_number(&writer, "created", session->created);
    record_put_number(&writer, "expires", session->expires);
    session_record_put_judgement(&writer, session);
    return record_finish(&writer);
}

static void session_record_get_judgement(struct record_reader *reader, struct session_record *out)
{
    out->config = record_get(reader, "config");
    out->revision = (uint64_t)record_get_number(reader, "revision");
    out->issuer = record_get(reader, "issuer");
    out->audience_count = record_get_list(reader, "audience", out->audiences, AUTH_AUDIENCES_MAX);
    out->kid = record_get(reader, "kid");
    out->key_thumbprint = record_get(reader, "key_thumbprint");
    out->algorithm = record_get(reader, "algorithm");
    out->issued_at = record_get_number(reader, "issued_at");
    out->not_before = record_get_number(reader, "not_before");
    out->expires_at = record_get_number(reader, "expires_at");
    out->scope_count = record_get_list(reader, "scope", out->scopes, SESSION_SCOPES_MAX);
    /* More claims than fit are left over, which record_end refuses. */
    while (out->claim_count < SESSION_CLAIMS_MAX && record_next_is(reader, "claim")) {
        struct auth_claim *claim = &out->claims[out->claim_count++];

        claim->name = record_get(reader, "claim");
        claim->value = record_get(reader, "value");
    }
    out->role_count = record_get_list(reader, "role", out->roles, SESSION_ROLES_MAX);
    out->jti = record_get(reader, "jti");
    out->signing_input = record_get(reader, "signing_input");
}

int session_record_decode(struct slice bytes, struct session_record *out)
{
    struct record_reader reader;

    /* Every field is set below; clearing the arrays would cost more than the decoding. */
    out->claim_count = 0;
    record_open(&reader, bytes, '1');
    out->app = record_get(&reader, "app");
    out->user = record_get(&reader, "user");
    out->subject = record_get(&reader, "subject");
    out->client_address = record_get(&reader, "client_address");
    out->created = record_get_range(&reader, "created", 0, INT64_MAX);
    out->expires = record_get_range(&reader, "expires", 0, INT64_MAX);
    session_record_get_judgement(&reader, out);
    return record_end(&reader);
}
