/* What the bridge serves: stdio servers, servers of the old HTTP+SSE, and old clients of any
 * server. To a worker it is one more server, over a socket in the file system, which is told in
 * lines of our own what only a worker knows. */
#include "worker/exchange.h"

#include "shared/base64url.h"
#include "shared/digest.h"
#include "worker/bridge_word.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* What stands for the bridge where the address of a server would, in the records of MCP sessions.
 */
#define BRIDGE_ADDRESS "bridge"

enum { BRIDGE_PORT = 1 };

struct exchange_bridge {
    char owner[DIGEST_HEX_SIZE + 1];
    struct buffer answer; /* of ours, for an old client's stream; empty: the request goes on */
};

/* Whom sessions belong to, as mcp_origin_same_owner tells users apart. */
static void bridge_owner(const struct session_record *caller, char owner[DIGEST_HEX_SIZE + 1])
{
    static const char user_follows[2] = {0};
    bool named = caller->subject.size > 0;
    struct slice parts[] = {caller->issuer, slice_make(user_follows, named ? 1 : 2),
                            named ? caller->subject : caller->user};
    struct digest digest;

    digest_of_parts(parts, 3, &digest);
    digest_hex(&digest, owner);
}

bool exchange_bridge_begin(struct exchange *exchange, const struct session_record *caller)
{
    enum app_transport transport = exchange->app->record.transport;

    if (transport != APP_MCP_STDIO && transport != APP_MCP_SSE && exchange->old == ROUTE_OLD_NONE)
        return true;
    exchange->bridge = calloc(1, sizeof(*exchange->bridge));
    if (exchange->bridge == NULL)
        return false;
    bridge_owner(caller, exchange->bridge->owner);
    return true;
}

void exchange_bridge_left(struct exchange *exchange)
{
    struct iovec word = {.iov_base = (void *)BRIDGE_WORD_LEFT,
                         .iov_len = sizeof(BRIDGE_WORD_LEFT) - 1};

    /* When it cannot be written, the session ends later, by gate.stdio.idle_timeout. */
    if (exchange->bridge != NULL && exchange->state == EXCHANGE_STREAM && exchange->event_stream &&
        exchange->upstream != NULL)
        (void)connection_write(&exchange->upstream->connection, &word, 1);
}

void exchange_bridge_dispose(struct exchange *exchange)
{
    if (exchange->bridge != NULL)
        buffer_free(&exchange->bridge->answer);
    free(exchange->bridge);
    exchange->bridge = NULL;
}

struct slice exchange_bridge_body(const struct exchange *exchange)
{
    if (exchange->bridge != NULL && buffer_size(&exchange->bridge->answer) > 0)
        return buffer_slice(&exchange->bridge->answer);
    return exchange_body(exchange);
}

bool exchange_bridge_refuse(struct exchange *exchange, struct reply_error *error)
{
    if (exchange->old != ROUTE_OLD_MESSAGE || error->status != 200)
        return false;
    error->json_rpc = true;
    error->id = exchange_part(exchange, exchange->request->rpc.id);
    if (reply_error_body(&exchange->bridge->answer, error) == 0)
        exchange_dispatch(exchange);
    else
        client_close(exchange->client);
    return true;
}

static int bridge_line(struct buffer *lines, const char *name, struct slice value)
{
    int error = buffer_append_format(lines, "%s: ", name);

    if (error == 0)
        error = buffer_append_slice(lines, value);
    return error == 0 ? buffer_append_text(lines, "\r\n") : error;
}

/* By whose word the server's certificate is believed, where it is not the system's bundle. */
static int bridge_trust(const struct app_record *app, struct buffer *lines)
{
    int error;

    if (app->insecure_skip_verify)
        return bridge_line(lines, "Gatehouse-Trust", slice_from("none"));
    if (app->ca_pem.size == 0)
        return 0;
    error = buffer_append_text(lines, "Gatehouse-Trust: ");
    if (error == 0)
        error = base64url_encode(app->ca_pem, lines);
    return error == 0 ? buffer_append_text(lines, "\r\n") : error;
}

static int bridge_endpoint(const struct exchange *exchange, struct buffer *lines)
{
    const struct app_record *app = &exchange->app->record;
    const struct app_endpoint *endpoint = &app->endpoints[exchange->endpoint];
    int error;

    if (endpoint->address_count == 0)
        return -EHOSTUNREACH;
    error = buffer_append_format(lines, "Gatehouse-Endpoint: %s %s %.*s %u ",
                                 app->transport == APP_MCP_SSE ? "sse" : "http",
                                 endpoint->tls ? "https" : "http", (int)endpoint->host.size,
                                 endpoint->host.data, (unsigned)endpoint->port);
    for (size_t i = 0; i < endpoint->address_count && error == 0; i++)
        error = buffer_append_format(lines, "%s%.*s", i == 0 ? "" : ",",
                                     (int)endpoint->addresses[i].size, endpoint->addresses[i].data);
    if (error == 0)
        error =
            buffer_append_format(lines, " %.*s\r\n", (int)endpoint->path.size, endpoint->path.data);
    /* Only what may open a connection needs it: a bundle is large. */
    if (error == 0 && endpoint->tls && exchange->request->mcp_id_size == 0 &&
        exchange->old != ROUTE_OLD_MESSAGE)
        error = bridge_trust(app, lines);
    return error;
}

/* Path and query of the request, as bridge_exchange.h has them; at the begin of `lines`. */
static int bridge_path(const struct exchange *exchange, struct buffer *lines)
{
    struct slice query = exchange->worker->request.query;
    int error;

    if (exchange->old == ROUTE_OLD_NONE)
        return buffer_append_text(lines, "/mcp");
    if (exchange->old == ROUTE_OLD_STREAM)
        return buffer_append_text(lines, "/sse");
    error = buffer_append_text(lines, buffer_size(&exchange->bridge->answer) > 0 ? "/sse/answer?"
                                                                                 : "/sse/message?");
    return error == 0 ? buffer_append_slice(lines, query) : error;
}

int exchange_bridge_forward(const struct exchange *exchange, struct forward_request *forward,
                            struct buffer *lines)
{
    static const struct app_endpoint itself = {.host = {.data = BRIDGE_ADDRESS, .size = 6},
                                               .port = 80};
    const struct app_record *app = &exchange->app->record;
    size_t path_size;
    int error;

    if (exchange->bridge == NULL)
        return 0;
    error = bridge_path(exchange, lines);
    path_size = buffer_size(lines);
    if (error == 0)
        error = bridge_line(lines, "Gatehouse-App", app->name);
    if (error == 0)
        error = bridge_line(lines, "Gatehouse-Owner", slice_from(exchange->bridge->owner));
    if (error == 0 && exchange->old == ROUTE_OLD_STREAM && exchange->route == ROUTE_HOST)
        error = bridge_line(lines, "Gatehouse-Place", slice_from("host"));
    if (app->transport == APP_MCP_STDIO) {
        forward->endpoint = &itself;
        if (error == 0)
            error = bridge_line(lines, "Gatehouse-Revision", app->revision);
    } else if (error == 0) {
        error = bridge_endpoint(exchange, lines);
    }
    forward->path = slice_make(buffer_data(lines), path_size);
    forward->own = slice_skip(buffer_slice(lines), path_size);
    return error;
}

void exchange_bridge_target(struct upstream_target *target)
{
    memset(target, 0, sizeof(*target));
    memcpy(target->address, BRIDGE_ADDRESS, sizeof(BRIDGE_ADDRESS));
    target->port = BRIDGE_PORT;
    target->bridge = true;
}

bool exchange_bridge_made(struct slice address)
{
    return slice_is(address, BRIDGE_ADDRESS);
}
