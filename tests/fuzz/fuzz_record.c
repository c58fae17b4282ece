/* Every record decoder, on any bytes: what it gives must lie inside of them. */
#include "shared/app_record.h"
#include "shared/auth_config_record.h"
#include "shared/key_record.h"
#include "shared/mcp_session_record.h"
#include "shared/record.h"
#include "shared/session_store.h"
#include "shared/stdio_app.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct slice bytes, struct slice part)
{
    if (part.size > 0 &&
        (part.data < bytes.data || part.data + part.size > bytes.data + bytes.size))
        abort();
}

static void decode_config(struct slice bytes)
{
    struct auth_config_record config;
    struct binding_record binding;
    struct key_record key;

    if (auth_config_record_decode(bytes, &config) == 0)
        for (size_t i = 0; i < config.required_scope_count; i++)
            inside(bytes, config.required_scopes[i]);
    if (binding_record_decode(bytes, &binding) == 0)
        for (size_t i = 0; i < binding.audience_count; i++)
            inside(bytes, binding.audiences[i]);
    if (key_record_decode(bytes, &key) == 0)
        inside(bytes, key.der);
}

/* What a launcher would start: never as root, and each text ends where it says. */
static void decode_stdio(struct slice bytes)
{
    struct arena arena = {0};
    struct stdio_app_list list;
    struct buffer out = {0};

    (void)stdio_apps_decode(bytes, false, &arena, &list);
    if (stdio_apps_decode(bytes, true, &arena, &list) == 0) {
        for (size_t i = 0; i < list.count; i++) {
            const struct stdio_app *app = &list.apps[i];

            if ((app->user.name.size > 0 && app->user.uid == 0) || app->command.data[0] != '/' ||
                memchr(app->command.data, '\0', app->command.size) != NULL ||
                stdio_apps_find(&list, app->name) != app)
                abort();
        }
        if (stdio_apps_encode(&list, true, &out) != 0 || !slice_equal(buffer_slice(&out), bytes))
            abort();
    }
    buffer_free(&out);
    arena_free(&arena);
}

static void decode_mcp_session(struct slice bytes)
{
    struct mcp_session_record session, again;
    struct buffer out = {0};

    if (mcp_session_record_decode(bytes, &session) != 0)
        return;
    inside(bytes, session.opening);
    inside(bytes, session.upstream);
    if (mcp_session_record_encode(&session, &out) != 0 ||
        mcp_session_record_decode(buffer_slice(&out), &again) != 0 ||
        !slice_equal(session.opening, again.opening) ||
        !slice_equal(session.upstream, again.upstream))
        abort();
    buffer_free(&out);
}

/* A key of `sessions` ends with the id that it gives. */
static void decode_session_key(struct slice key)
{
    struct session_id id;

    if (session_store_key_id(key, &id) &&
        !slice_is(slice_skip(key, key.size - SESSION_ID_SIZE), id.text))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct app_record app;
    struct slice bytes = slice_make((const char *)data, size);
    struct session_record session;

    if (app_record_decode(bytes, &app) == 0)
        for (size_t i = 0; i < app.endpoint_count; i++)
            inside(bytes, app.endpoints[i].path);
    decode_config(bytes);
    decode_stdio(bytes);
    decode_mcp_session(bytes);
    decode_session_key(bytes);
    if (session_record_decode(bytes, &session) == 0) {
        struct session_record again;
        struct buffer out = {0};

        for (size_t i = 0; i < session.claim_count; i++)
            inside(bytes, session.claims[i].value);
        /* One value has one spelling. */
        if (session_record_encode(&session, &out) != 0 || !slice_equal(buffer_slice(&out), bytes) ||
            session_record_decode(buffer_slice(&out), &again) != 0)
            abort();
        buffer_free(&out);
    }
    return 0;
}
