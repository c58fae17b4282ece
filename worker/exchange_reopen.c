#include "worker/exchange_reopen.h"

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/session_store.h"
#include "worker/exchange_mcp_session.h"
#include "worker/reopening.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    /* Homes that one request goes to at most: one that is lost, one that another worker found, and
     * one of its own. */
    REOPEN_TRIES = 3,
    /* Bytes of a refusal that is read for what it says: those of servers are below 200. */
    REOPEN_REFUSAL_MAX = 1024,
    /* Seconds for which Last-Event-ID is taken for one of the lost server's: clients come back
     * within 30 (the SDK's longest delay between two tries). */
    REOPEN_STALE = 60,
};

struct exchange_reopen {
    struct reopening_waiter waiter;
    unsigned tries;
    bool able;  /* the app asks for it, and what it takes is on record */
    bool gone;  /* the app names its server no longer */
    bool anew;  /* it was just opened: a server that does not know it now never will */
    bool stale; /* event ids that the client knows may be those of a server that is lost */
    uint64_t endpoint;
    uint16_t port;
    char address[INET6_ADDRSTRLEN];
    char *upstream; /* owned; NULL: as the client's id */
};

/* Where the session is. 0, -ENOMEM. */
static int reopen_take(struct exchange_reopen *reopen, const struct mcp_session_record *record)
{
    free(reopen->upstream);
    reopen->upstream = NULL;
    if (record->upstream.size > 0 && mcp_session_id_is_valid(record->upstream)) {
        reopen->upstream = strndup(record->upstream.data, record->upstream.size);
        if (reopen->upstream == NULL)
            return -ENOMEM;
    }
    reopen->endpoint = record->origin.endpoint;
    reopen->port = record->origin.port;
    snprintf(reopen->address, sizeof(reopen->address), "%.*s", (int)record->origin.address.size,
             record->origin.address.data);
    reopen->stale =
        record->reopened != 0 && clock_wall_seconds() - record->reopened <= REOPEN_STALE;
    return 0;
}

bool exchange_reopen_is_home(const struct exchange *exchange,
                             const struct mcp_session_record *record)
{
    const struct exchange_reopen *reopen = exchange->reopen;

    return record->origin.port == reopen->port && record->origin.endpoint == reopen->endpoint &&
           slice_is(record->origin.address, reopen->address) &&
           slice_equal(record->upstream, slice_from(reopen->upstream));
}

int exchange_reopen_begin(struct exchange *exchange, const struct mcp_session_record *record,
                          bool pinned)
{
    bool able = exchange->app->record.reinitialize && exchange->bridge == NULL &&
                mcp_session_record_can_reopen(record);
    struct exchange_reopen *reopen;

    if (!pinned && !able)
        return -ENOENT;
    if (!able && record->upstream.size == 0)
        return 0;
    reopen = calloc(1, sizeof(*reopen));
    if (reopen == NULL || reopen_take(reopen, record) != 0) {
        free(reopen);
        return -ENOMEM;
    }
    reopen->able = able;
    reopen->gone = !pinned;
    exchange->reopen = reopen;
    return 0;
}

void exchange_reopen_dispose(struct exchange *exchange)
{
    struct exchange_reopen *reopen = exchange->reopen;

    if (reopen == NULL)
        return;
    exchange->reopen = NULL;
    reopening_leave(&reopen->waiter);
    free(reopen->upstream);
    free(reopen);
}

struct slice exchange_reopen_upstream(const struct exchange *exchange)
{
    return slice_from(exchange->reopen == NULL ? NULL : exchange->reopen->upstream);
}

/* A server that the probes call dead may be alive to requests: it is left for one that is better.
 */
static bool reopen_is_better_elsewhere(const struct exchange *exchange)
{
    const struct app_record *app = &exchange->app->record;
    const struct health_board *board = &exchange->worker->child.public->health;

    if (!exchange->request->pinned ||
        !health_board_is_dead(board, app->endpoints[exchange->endpoint].id))
        return false;
    for (size_t i = 0; i < app->endpoint_count; i++) {
        const struct app_endpoint *endpoint = &app->endpoints[i];

        if (i != exchange->endpoint && endpoint->draining == 0 && endpoint->address_count > 0 &&
            !health_board_is_dead(board, endpoint->id))
            return true;
    }
    return false;
}

/* Nothing of it is anywhere: no server has to hear that it is over. */
static void reopen_delete(struct exchange *exchange, const struct store_key *key,
                          const struct mcp_session_record *record)
{
    audit_mcp_session(&exchange->worker->audit, AUDIT_MCP_END, exchange->app->record.name,
                      record->id, exchange->client->caller, record, "the client deleted it");
    /* Without memory it ends when nobody uses it. */
    mcp_sessions_queue(&exchange->worker->mcp_sessions, MCP_SESSION_DELETE, key, NULL);
    exchange_acknowledge(exchange);
}

static void reopen_unavailable(struct exchange *exchange)
{
    exchange_refuse(exchange, 503, "no server can go on with the MCP session just now",
                    EXCHANGE_RETRY_AFTER, NULL);
}

static void reopen_refuse(struct exchange *exchange, int error)
{
    if (error == -ENOENT)
        exchange_mcp_lost(exchange);
    else if (error == -ENOMEM)
        client_close(exchange->client);
    else
        exchange_refuse(exchange, 503, "the gateway's store is unavailable", EXCHANGE_RETRY_AFTER,
                        NULL);
}

/* The session as it is now, while it is the caller's. Borrowed from the store. */
static int reopen_find(struct exchange *exchange, const struct store_key *key,
                       struct mcp_session_record *record)
{
    struct store *store = exchange->worker->sessions;
    struct session_record caller;
    int error = store_refresh(store);

    if (error == 0)
        error = mcp_session_find(store, key, exchange_mcp_id(exchange), record);
    if (error != 0)
        return error;
    if (session_store_find(store, &exchange->session, &caller) != 0)
        return -EIO; /* the caller's session is over, or cannot be read: not the server's */
    return mcp_origin_is_of(&record->origin, &caller) ? 0 : -ENOENT;
}

/* The app as it is now: its servers may be others than when the request came. false: it is not
 * there, or another of that name. */
static bool reopen_renew_app(struct exchange *exchange, const struct mcp_session_record *record)
{
    struct catalog_app *app =
        catalog_app_find(exchange->worker->catalog, exchange->app->record.name);

    if (app == NULL)
        return false;
    catalog_app_release(exchange->app);
    exchange->app = app;
    return app->record.birth == record->birth;
}

/* Whether the caller may still do what the request asks for: it may have waited while that changed.
 * false: it was refused, and has ended. */
static bool reopen_is_permitted(struct exchange *exchange)
{
    if (exchange->policy != exchange->request->rpc.policy && !exchange_mcp_admits_again(exchange))
        return false;
    if (exchange->ends == 0 || ev_now(exchange->worker->loop) < exchange->ends)
        return true;
    exchange_challenge(exchange, exchange->app->record.name, "invalid_token", exchange->end_reason);
    return false;
}

/* The record names a home: the request goes there. */
static void reopen_follow(struct exchange *exchange, const struct mcp_session_record *record)
{
    struct worker *worker = exchange->worker;
    const char *reason;

    if (!reopen_renew_app(exchange, record)) {
        reopen_unavailable(exchange);
        return;
    }
    if (reopen_take(exchange->reopen, record) != 0 ||
        http_request_parse(exchange_head(exchange), worker_limits(worker)->head_size,
                           &worker->request, &reason) <= 0) {
        client_close(exchange->client);
        return;
    }
    endpoint_end(exchange->seen);
    exchange->seen = NULL;
    exchange->request->pinned = false;
    exchange->request->tried = 0;
    exchange->request->fresh = false;
    exchange->reopen->gone = !exchange_mcp_pin(exchange, &record->origin);
    buffer_clear(&exchange->request->upstream_head);
    /* From here on the record may be gone. */
    if (reopen_is_permitted(exchange))
        exchange_dispatch(exchange);
}

static void reopen_done(struct reopening_waiter *waiter, enum reopening_end end)
{
    struct exchange *exchange = waiter->context;
    struct client *client = exchange->client;
    struct mcp_session_record record;
    struct store_key key;
    int error = -ENOENT;

    mcp_session_key(&key, exchange->app->record.name, exchange_mcp_id(exchange));
    exchange->reopen->anew = true;
    if (end == REOPENING_MOVED)
        error = reopen_find(exchange, &key, &record);
    if (end == REOPENING_UNAVAILABLE)
        reopen_unavailable(exchange);
    else if (error != 0)
        reopen_refuse(exchange, error);
    else
        reopen_follow(exchange, &record);
    client_update(client);
}

/* Waits for what opens the session anew; the record is where this exchange knows it to be. */
static void reopen_wait(struct exchange *exchange, const struct store_key *key,
                        const struct mcp_session_record *record, bool forgotten)
{
    struct exchange_reopen *reopen = exchange->reopen;
    struct reopening_order order = {
        .key = key,
        .record = record,
        .app = exchange->app->record.name,
        .head = exchange_head(exchange),
        .path = exchange->route == ROUTE_MCP,
        .forgotten = forgotten,
    };

    reopen->waiter.client = exchange->client;
    reopen->waiter.context = exchange;
    reopen->waiter.done = reopen_done;
    if (reopening_join(exchange->worker, key, &reopen->waiter) ||
        reopening_start(exchange->worker, &order, &reopen->waiter))
        return;
    reopen_unavailable(exchange);
}

static bool reopen_begin(struct exchange *exchange, bool forgotten)
{
    struct exchange_reopen *reopen = exchange->reopen;
    struct mcp_session_record record;
    struct store_key key;
    int error;

    if (reopen == NULL || !reopen->able || reopen->tries == REOPEN_TRIES)
        return false;
    reopen->tries++;
    write_queue_remove(&exchange->worker->writes, &exchange->request->sending);
    if (exchange->upstream != NULL)
        upstream_close(exchange->upstream);
    exchange->upstream = NULL;
    deadline_clear(&exchange->deadline);
    exchange->state = EXCHANGE_REOPEN;
    mcp_session_key(&key, exchange->app->record.name, exchange_mcp_id(exchange));
    error = reopen_find(exchange, &key, &record);
    if (error != 0)
        reopen_refuse(exchange, error);
    else if (!exchange_reopen_is_home(exchange, &record))
        reopen_follow(exchange, &record);
    else if (exchange->method == HTTP_DELETE)
        reopen_delete(exchange, &key, &record);
    else
        reopen_wait(exchange, &key, &record, forgotten);
    return true;
}

bool exchange_reopen(struct exchange *exchange)
{
    return reopen_begin(exchange, false);
}

bool exchange_reopen_first(struct exchange *exchange)
{
    if (!exchange->reopen->gone)
        return reopen_is_better_elsewhere(exchange) && reopen_begin(exchange, false);
    /* Without a home it must go nowhere. */
    if (!reopen_begin(exchange, true))
        reopen_unavailable(exchange);
    return true;
}

static bool reopen_mentions_session(struct slice text)
{
    static const char word[] = "session";

    for (; text.size >= sizeof(word) - 1; text = slice_skip(text, 1))
        if (slice_equal_nocase(slice_make(text.data, sizeof(word) - 1), slice_from(word)))
            return true;
    return false;
}

/* What says that a session is not known: 404, which the specification wants. But servers that offer
 * no stream or no DELETE may have no such path, and those made after the SDK's examples answer 400:
 * these are believed when they speak of a session, in JSON-RPC or in plain text ("No valid session
 * ID provided"). 1: it does; 0: it says something else; -EAGAIN: not all of it is here. */
static int reopen_refusal(const struct http_response *response, enum http_method method,
                          struct slice data)
{
    const char *end = memmem(data.data, data.size, "\r\n\r\n", 4);
    struct slice body;

    if (response->status == 404 && method == HTTP_POST)
        return 1;
    if ((response->status != 400 && response->status != 404) ||
        response->body != HTTP_BODY_LENGTH || response->content_length > REOPEN_REFUSAL_MAX ||
        end == NULL)
        return 0;
    body = slice_skip(data, (size_t)(end - data.data) + 4);
    if (body.size < response->content_length)
        return -EAGAIN;
    body.size = (size_t)response->content_length;
    return reopen_mentions_session(body);
}

bool exchange_reopen_answers(struct exchange *exchange, struct slice data)
{
    const struct mcp_method *method = exchange->mcp_method;
    int refusal;

    /* Who asks for another session is not helped with the old one. */
    if (!exchange->reopen->able || exchange->reopen->anew ||
        exchange->reopen->tries == REOPEN_TRIES || (method != NULL && method->initialize))
        return false;
    refusal = reopen_refusal(&exchange->worker->response, exchange->method, data);
    if (refusal == 1)
        return reopen_begin(exchange, true);
    if (refusal != -EAGAIN)
        return false;
    if (buffer_append_slice(&exchange->request->response_head, data) != 0)
        client_close(exchange->client);
    return true;
}

void exchange_reopen_request(const struct exchange *exchange)
{
    const struct exchange_reopen *reopen = exchange->reopen;
    struct http_request *request = &exchange->worker->request;
    size_t kept = 0;

    for (size_t i = 0; i < request->header_count; i++) {
        struct http_header *header = &request->headers[i];

        /* Of the lost server's streams no other knows an event, and one that numbers its own would
         * take the id for one of them. */
        if (header->field == HTTP_LAST_EVENT_ID && reopen->stale)
            continue;
        if (header->field == HTTP_MCP_SESSION_ID && reopen->upstream != NULL)
            header->value = slice_from(reopen->upstream);
        request->headers[kept++] = *header;
    }
    request->header_count = kept;
}

void exchange_reopen_response(const struct exchange *exchange)
{
    const struct exchange_reopen *reopen = exchange->reopen;
    struct http_response *response = &exchange->worker->response;

    for (size_t i = 0; i < response->header_count; i++) {
        struct http_header *header = &response->headers[i];

        if (header->field == HTTP_MCP_SESSION_ID && reopen->upstream != NULL &&
            slice_is(header->value, reopen->upstream))
            header->value = exchange_mcp_id(exchange);
    }
}

/* Every JWT begins so (RFC 7519, 3.1); some clients put theirs anywhere. */
static bool reopen_has_token(struct slice text)
{
    return memmem(text.data, text.size, "eyJ", 3) != NULL;
}

struct slice exchange_reopen_opening(const struct exchange *exchange)
{
    const struct mcp_method *method = exchange->mcp_method;
    struct slice body = exchange_body(exchange);

    if (!exchange->app->record.reinitialize || exchange->bridge != NULL || method == NULL ||
        !method->initialize || body.size > MCP_SESSION_OPENING_MAX || reopen_has_token(body))
        return slice_make(NULL, 0);
    return body;
}
