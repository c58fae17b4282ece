#include "conf/document_hash.h"

#include "conf/lock_document.h"
#include "shared/digest.h"
#include "shared/record.h"

/* A list is preceded by its length, so that no two documents encode alike. */
static void hash_put_selectors(struct record_writer *writer,
                               const struct auth_config_document *config)
{
    record_put_number(writer, "selectors", (int64_t)config->selector_count);
    for (size_t i = 0; i < config->selector_count; i++) {
        const struct label_selector *selector = &config->selectors[i];

        record_put(writer, "name", selector->name);
        record_put_number(writer, "values", (int64_t)selector->value_count);
        for (size_t j = 0; j < selector->value_count; j++)
            record_put(writer, "value", selector->values[j]);
    }
}

static int hash_encode_config(const struct auth_config_document *config, struct buffer *out)
{
    struct record_writer writer;
    int error = auth_config_record_encode(&config->record, out);

    if (error != 0)
        return error;
    record_begin(&writer, out, '1');
    record_put_number(&writer, "audiences", (int64_t)config->audience_count);
    for (size_t i = 0; i < config->audience_count; i++)
        record_put(&writer, "audience", config->audiences[i]);
    hash_put_selectors(&writer, config);
    record_put(&writer, "jwks_url", config->jwks_url);
    record_put_number(&writer, "insecure", config->jwks_insecure);
    record_put(&writer, "static_jwks", config->static_jwks);
    return record_finish(&writer);
}

static int hash_encode_app(const struct app_document *app, struct buffer *out)
{
    struct record_writer writer;
    int error = app_record_encode(&app->record, out);

    if (error != 0)
        return error;
    record_begin(&writer, out, '1');
    record_put(&writer, "ca_file", app->ca_file);
    /* Where they stand decides what is kept when a file cannot be read. */
    for (size_t i = 0; i < app->part_count; i++) {
        record_put(&writer, "part", app->parts[i].file);
        record_put_number(&writer, "endpoints", (int64_t)app->parts[i].endpoints);
    }
    return record_finish(&writer);
}

static int hash_encode_lock(const struct document *document, struct buffer *out)
{
    struct revocation_record record;

    lock_record_fill(document, &record);
    return revocation_record_encode(&record, out);
}

static int hash_encode_name(const struct document *document, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put_number(&writer, "kind", document->kind);
    record_put(&writer, "name", document->name);
    return record_finish(&writer);
}

/* With its places: decisions name the rule where it stands. */
static int hash_encode_role(const struct document *document, struct buffer *out)
{
    int error = hash_encode_name(document, out);

    return error != 0 ? error : role_sides_encode(&document->role, out);
}

void document_hash(struct document *document, struct arena *arena)
{
    struct buffer encoded = {0};
    struct digest digest;
    char hex[DIGEST_HEX_SIZE + 1];
    int error;

    document->hash = slice_make(NULL, 0);
    if (document->kind == DOCUMENT_APP)
        error = hash_encode_app(&document->app, &encoded);
    else if (document->kind == DOCUMENT_AUTH_CONFIG)
        error = hash_encode_config(&document->auth_config, &encoded);
    else if (document->kind == DOCUMENT_ROLE)
        error = hash_encode_role(document, &encoded);
    else if (document->kind == DOCUMENT_LOCK)
        error = hash_encode_lock(document, &encoded);
    else
        error = hash_encode_name(document, &encoded);
    if (error == 0) {
        digest_of(buffer_slice(&encoded), &digest);
        digest_hex(&digest, hex);
        document->hash = arena_copy(arena, slice_from(hex));
        if (document->hash.data == NULL)
            document->hash.size = 0;
    }
    buffer_free(&encoded);
}
