#include "conf/drainer.h"

#include "conf/app_candidate.h"
#include "shared/log.h"
#include "shared/uri.h"

#include <errno.h>
#include <stdio.h>

/* By host and port alone, or by all that a URI says. */
static bool endpoint_is(const struct app_endpoint *endpoint, struct slice text)
{
    bool v6 = memchr(endpoint->host.data, ':', endpoint->host.size) != NULL;
    const char *reason;
    char pair[300];
    struct uri uri;

    snprintf(pair, sizeof(pair), "%s%.*s%s:%u", v6 ? "[" : "", (int)endpoint->host.size,
             endpoint->host.data, v6 ? "]" : "", endpoint->port);
    if (slice_equal_nocase(text, slice_from(pair)))
        return true;
    if (uri_parse(text, &uri, &reason) != 0)
        return false;
    if (uri.path.size == 0)
        uri.path = slice_from("/");
    return slice_equal_nocase(uri.host, endpoint->host) && uri.port == endpoint->port &&
           uri.tls == endpoint->tls && slice_equal(uri.path, endpoint->path);
}

/* How many endpoints the text names; *index: the last of them. */
static size_t endpoint_find(const struct app_record *app, struct slice text, size_t *index)
{
    size_t count = 0;

    for (size_t i = 0; i < app->endpoint_count; i++)
        if (endpoint_is(&app->endpoints[i], text)) {
            *index = i;
            count++;
        }
    return count;
}

static int drainer_refuse(struct control_answer *answer, int status, const char *text)
{
    *answer = (struct control_answer){.status = status, .text = slice_from(text)};
    return 0;
}

static int drainer_commit(struct publisher *publisher, struct registry_slot *slot, size_t endpoint,
                          bool drain)
{
    struct publication *publication;
    int status = publication_begin(&publication, publisher->store);

    if (status < 0)
        return status;
    status = app_candidate_drain(slot, endpoint, drain, publication);
    if (status == 0)
        return publisher_commit(publisher, publication);
    publication_abort(publication);
    return status;
}

int drainer_set(struct publisher *publisher, const struct control_drain *drain, uid_t uid,
                struct control_answer *answer)
{
    struct registry_slot *slot =
        registry_find(&publisher->registry, DOCUMENT_APP, drain->app, false);
    size_t endpoint = 0;
    size_t count;
    int status;

    *answer = (struct control_answer){0};
    if (slot == NULL || slot->good == NULL)
        return drainer_refuse(answer, -ENOENT, "there is no such app");
    count = endpoint_find(&slot->good->app, drain->endpoint, &endpoint);
    if (count != 1)
        return drainer_refuse(answer, count == 0 ? -ENOENT : -EINVAL,
                              count == 0 ? "the app has no such endpoint"
                                         : "more than one endpoint is there: name its URI");
    status = drainer_commit(publisher, slot, endpoint, !drain->undo);
    if (status < 0) {
        drainer_refuse(answer, status, strerror(-status));
        return status;
    }
    log_info(drain->undo ? "endpoint_undrained" : "endpoint_drained",
             "app %.*s, %.*s, by user id %u", (int)drain->app.size, drain->app.data,
             (int)drain->endpoint.size, drain->endpoint.data, (unsigned)uid);
    return status;
}
