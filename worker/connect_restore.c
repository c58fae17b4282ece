#include "worker/connect_restore.h"

#include "worker/connect_call.h"

#include <errno.h>

enum { RESTORE_AT_ONCE = 8 }; /* requests, so that a server is not flooded by its return */

/* The string params.`name` of a request, decoded. false: there is none, or it is too long. */
static bool restore_param(struct slice text, const char *name, struct buffer *out)
{
    static const char *const params_name[] = {"params"};
    struct json_value root, params, value;
    const char *reason;
    size_t room;
    long size;

    if (json_parse(text, &root, &reason) != 0 ||
        json_members(&root, params_name, 1, &params) != 0 || params.kind != JSON_OBJECT ||
        json_members(&params, &name, 1, &value) != 0 || value.kind != JSON_STRING ||
        value.text.size > CONNECT_RESTORE_TEXT_MAX || buffer_reserve(out, value.text.size) != 0)
        return false;
    size = json_string(&value, buffer_space(out, &room), value.text.size);
    if (size <= 0)
        return false;
    buffer_commit(out, (size_t)size);
    return true;
}

static size_t restore_find(const struct connect_restore *restore, struct slice uri)
{
    size_t at = 0;

    while (at < restore->count && !slice_equal(buffer_slice(&restore->uris[at]), uri))
        at++;
    return at;
}

/* Takes `uri` over. */
static void restore_subscribed(struct connect_restore *restore, struct buffer *uri)
{
    if (restore_find(restore, buffer_slice(uri)) < restore->count)
        return;
    if (restore->count < CONNECT_RESTORE_URIS) {
        restore->uris[restore->count++] = *uri;
        *uri = (struct buffer){0};
        return;
    }
    if (!restore->full_said)
        connect_say("the client subscribes to more than %d resources; a session that is lost is "
                    "opened anew without the others",
                    CONNECT_RESTORE_URIS);
    restore->full_said = true;
}

static void restore_unsubscribed(struct connect_restore *restore, struct slice uri)
{
    size_t at = restore_find(restore, uri);

    if (at == restore->count)
        return;
    buffer_free(&restore->uris[at]);
    restore->uris[at] = restore->uris[--restore->count];
    restore->uris[restore->count] = (struct buffer){0};
}

void connect_restore_note(struct connect_restore *restore, const struct connect_call *call)
{
    struct slice method = slice_make(NULL, 0);
    struct buffer value = {0};

    if (buffer_size(&call->method) > 0)
        method = slice_from(buffer_data(&call->method));
    if (slice_is(method, "logging/setLevel")) {
        if (restore_param(buffer_slice(&call->text), "level", &value)) {
            buffer_free(&restore->level);
            restore->level = value;
            value = (struct buffer){0};
        }
    } else if (slice_is(method, "resources/subscribe")) {
        if (restore_param(buffer_slice(&call->text), "uri", &value))
            restore_subscribed(restore, &value);
    } else if (slice_is(method, "resources/unsubscribe")) {
        if (restore_param(buffer_slice(&call->text), "uri", &value))
            restore_unsubscribed(restore, buffer_slice(&value));
    }
    buffer_free(&value);
}

/* The request for the n-th of what was told; NULL: out of memory. Ids are the bridge's own, and
 * unlike those of any client: both may be open at once. */
static struct connect_call *restore_call(struct connect *connect, size_t n)
{
    struct connect_restore *restore = &connect->session.restore;
    bool levelled = buffer_size(&restore->level) > 0;
    bool level = levelled && n == 0;
    const struct buffer *value = level ? &restore->level : &restore->uris[n - levelled];
    struct buffer text = {0};
    struct connect_call *call = NULL;
    struct mcp_reader reader;
    struct mcp_message message;
    int error;

    error = buffer_append_format(
        &text,
        "{\"jsonrpc\":\"2.0\",\"id\":\"gatehouse-connect-%u-%zu\",\"method\":\"%s\","
        "\"params\":{\"%s\":",
        connect->session.serial, n, level ? "logging/setLevel" : "resources/subscribe",
        level ? "level" : "uri");
    if (error == 0)
        error = json_append_string(&text, buffer_slice(value));
    if (error == 0)
        error = buffer_append_text(&text, "}}");
    mcp_reader_begin(&reader, buffer_slice(&text), false);
    if (error == 0 && mcp_reader_next(&reader, &message) == 1)
        call = connect_call_make(connect, CONNECT_RESTORE, buffer_slice(&text), &message);
    buffer_free(&text);
    return call;
}

/* Tells what may be told now. */
static bool restore_tell(struct connect *connect)
{
    struct connect_restore *restore = &connect->session.restore;
    size_t all = restore->count + (buffer_size(&restore->level) > 0);

    while (restore->waiting < RESTORE_AT_ONCE && restore->told < all) {
        struct connect_call *call = restore_call(connect, restore->told++);

        if (call == NULL) {
            connect_say("the new session: out of memory; it is not told all that the old one was");
            continue;
        }
        restore->waiting++;
        connect_call_start(call);
    }
    return restore->waiting > 0;
}

bool connect_restore_begin(struct connect *connect)
{
    connect->session.restore.told = 0;
    connect->session.restore.waiting = 0;
    return restore_tell(connect);
}

bool connect_restore_next(struct connect *connect)
{
    connect->session.restore.waiting--;
    return restore_tell(connect);
}

void connect_restore_clear(struct connect_restore *restore)
{
    buffer_free(&restore->level);
    for (size_t i = 0; i < restore->count; i++)
        buffer_free(&restore->uris[i]);
    restore->count = 0;
    restore->full_said = false;
}
