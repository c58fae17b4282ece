#include "worker/bridge_call.h"

#include <stdlib.h>

static struct bridge_call **call_bucket(struct bridge_calls *calls, uint64_t id)
{
    return &calls->buckets[id % BRIDGE_CALL_BUCKETS];
}

static void call_free(struct bridge_call *call)
{
    buffer_free(&call->client_id);
    buffer_free(&call->token);
    free(call);
}

struct bridge_call *bridge_call_add(struct bridge_calls *calls, uint64_t id,
                                    enum bridge_purpose purpose, struct slice client_id,
                                    struct slice token)
{
    struct bridge_call *call = calloc(1, sizeof(*call));
    struct bridge_call **bucket = call_bucket(calls, id);

    if (call == NULL)
        return NULL;
    call->id = id;
    call->purpose = purpose;
    if (buffer_append_slice(&call->client_id, client_id) != 0 ||
        buffer_append_slice(&call->token, token) != 0) {
        call_free(call);
        return NULL;
    }
    call->next = *bucket;
    *bucket = call;
    calls->count++;
    return call;
}

struct bridge_call *bridge_call_find(struct bridge_calls *calls, uint64_t id)
{
    struct bridge_call *call = *call_bucket(calls, id);

    while (call != NULL && call->id != id)
        call = call->next;
    return call;
}

void bridge_call_remove(struct bridge_calls *calls, struct bridge_call *call)
{
    struct bridge_call **at = call_bucket(calls, call->id);

    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    calls->count--;
    call_free(call);
}

struct bridge_call *bridge_call_of(struct bridge_calls *calls, const struct bridge_stream *stream,
                                   const struct bridge_session *session)
{
    for (size_t i = 0; i < BRIDGE_CALL_BUCKETS; i++) {
        for (struct bridge_call *call = calls->buckets[i]; call != NULL; call = call->next) {
            if (stream != NULL ? call->stream == stream : call->session == session)
                return call;
        }
    }
    return NULL;
}

struct bridge_call *bridge_call_named(struct bridge_calls *calls,
                                      const struct bridge_session *session, struct slice client_id)
{
    for (size_t i = 0; i < BRIDGE_CALL_BUCKETS; i++) {
        for (struct bridge_call *call = calls->buckets[i]; call != NULL; call = call->next) {
            if (call->session == session && call->purpose == BRIDGE_CALL_CLIENT &&
                slice_equal(buffer_slice(&call->client_id), client_id))
                return call;
        }
    }
    return NULL;
}

struct bridge_call *bridge_call_after(struct bridge_calls *calls, uint64_t id)
{
    struct bridge_call *next = NULL;

    for (size_t i = 0; i < BRIDGE_CALL_BUCKETS; i++) {
        for (struct bridge_call *call = calls->buckets[i]; call != NULL; call = call->next) {
            if (call->id > id && (next == NULL || call->id < next->id))
                next = call;
        }
    }
    return next;
}
