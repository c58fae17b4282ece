#include "worker/bridge_probe.h"

#include "shared/log.h"
#include "worker/bridge_app.h"
#include "worker/bridge_link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define PROBE_META "io.modelcontextprotocol/"

enum {
    PROBE_TIME = 20 * 1000, /* milliseconds: a server may be slow to start, but one that is silent
                               then does not know the request */
    PROBE_HELD_MAX = 256,
};

/* A request that waits. */
struct bridge_held {
    struct bridge_held *next;
    uint64_t id;
    struct buffer line;
};

static void probe_drop(struct bridge_link *link)
{
    struct bridge_held *held = link->probe.held;

    link->probe.held = held->next;
    if (link->probe.held == NULL)
        link->probe.tail = &link->probe.held;
    buffer_free(&held->line);
    free(held);
}

static void probe_late(struct deadline *deadline)
{
    struct bridge_link *link = deadline->owner;

    log_info("bridge_probe",
             "app %s: no answer to server/discover: taken for one of the older revisions",
             bridge_app_name(link->app));
    bridge_probe_judged(link, false, true);
}

void bridge_probe_open(struct bridge_link *link)
{
    link->probe.tail = &link->probe.held;
    deadline_open(&link->probe.patience, link->bridge->loop, probe_late, link);
}

void bridge_probe_close(struct bridge_link *link)
{
    while (link->probe.held != NULL)
        probe_drop(link);
    deadline_close(&link->probe.patience);
}

int bridge_probe_send(struct bridge_link *link)
{
    uint64_t id = ++link->bridge->last_id;
    struct slice none = slice_make(NULL, 0);
    struct bridge_call *call = bridge_call_add(&link->calls, id, BRIDGE_CALL_PROBE, none, none);
    int error;

    if (call == NULL)
        return -ENOMEM;
    error = bridge_link_send_format(
        link, id,
        "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":\"server/discover\",\"params\":{"
        "\"_meta\":{\"" PROBE_META "protocolVersion\":\"2026-07-28\",\"" PROBE_META
        "clientInfo\":" BRIDGE_IMPLEMENTATION ",\"" PROBE_META "clientCapabilities\":{}}}}",
        id);
    if (error != 0) {
        bridge_call_remove(&link->calls, call);
        return error;
    }
    link->state = BRIDGE_LINK_OPENING;
    deadline_set(&link->probe.patience, PROBE_TIME);
    return 0;
}

int bridge_probe_hold(struct bridge_link *link, struct buffer *line, uint64_t id)
{
    struct bridge_held *held;
    size_t count = 0;

    for (held = link->probe.held; held != NULL; held = held->next)
        count++;
    held = count >= PROBE_HELD_MAX ? NULL : calloc(1, sizeof(*held));
    if (held == NULL)
        return -EDQUOT;
    held->id = id;
    held->line = *line;
    *line = (struct buffer){0};
    *link->probe.tail = held;
    link->probe.tail = &held->next;
    return 0;
}

void bridge_probe_judged(struct bridge_link *link, bool modern, bool known)
{
    if (link->state != BRIDGE_LINK_OPENING)
        return;
    deadline_clear(&link->probe.patience);
    if (known)
        bridge_app_judged(link->app, modern);
    link->state = BRIDGE_LINK_OPEN;
    while (link->probe.held != NULL && link->state == BRIDGE_LINK_OPEN) {
        uint64_t id = link->probe.held->id;

        if (!modern)
            bridge_link_fail(link, id, BRIDGE_NOT_INITIALIZED, BRIDGE_NOT_MODERN);
        else if (bridge_call_find(&link->calls, id) != NULL &&
                 bridge_link_send(link, buffer_slice(&link->probe.held->line), id) != 0)
            bridge_link_fail(link, id, BRIDGE_INTERNAL_ERROR, "the server takes no more messages");
        if (link->probe.held != NULL)
            probe_drop(link);
    }
    if (!modern)
        bridge_link_end(link, BRIDGE_NOT_MODERN);
}
