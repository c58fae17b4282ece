#include "worker/bridge_remote.h"

#include "shared/base64url.h"
#include "shared/log.h"
#include "worker/bridge_post.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    REMOTE_POSTS_MAX = 128, /* messages under way, of one session */
    REMOTE_REASON_MAX = 128,
};

/* Requests. */

static int remote_head(struct bridge_remote *remote, struct buffer *out, const char *method,
                       struct slice path, const char *accept)
{
    int error =
        buffer_append_format(out, "%s %.*s HTTP/1.1\r\n", method, (int)path.size, path.data);

    if (error == 0)
        error = buffer_append_slice(out, buffer_slice(&remote->headers));
    if (error == 0)
        error = buffer_append_format(out,
                                     "Accept: %s\r\nAccept-Encoding: identity\r\n"
                                     "Cache-Control: no-cache\r\nConnection: close\r\n",
                                     accept);
    if (error == 0 && remote->session[0] != '\0')
        error = buffer_append_format(out, "Mcp-Session-Id: %s\r\n", remote->session);
    if (error == 0 && remote->version[0] != '\0')
        error = buffer_append_format(out, "MCP-Protocol-Version: %s\r\n", remote->version);
    return error;
}

struct bridge_fetch *bridge_remote_fetch(struct bridge_remote *remote, const char *method,
                                         struct slice path, const char *accept,
                                         struct slice last_id, struct slice body)
{
    struct buffer request = {0};
    struct bridge_fetch *fetch = NULL;
    int error = remote_head(remote, &request, method, path, accept);

    if (error == 0 && last_id.size > 0)
        error = buffer_append_format(&request, "Last-Event-ID: %.*s\r\n", (int)last_id.size,
                                     last_id.data);
    if (error == 0 && body.size > 0)
        error = buffer_append_format(
            &request, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.size);
    if (error == 0)
        error = buffer_append_text(&request, "\r\n");
    if (error == 0)
        error = buffer_append_slice(&request, body);
    if (error == 0)
        fetch = bridge_fetch_start(remote->bridge, &remote->target, &request);
    buffer_wipe(&request);
    return fetch;
}

/* The end. */

static void remote_close(struct bridge_link *link)
{
    struct bridge_remote *remote = link->end;

    remote->link = NULL;
    while (remote->posts != NULL)
        bridge_post_free(remote->posts);
    buffer_free(&remote->path);
    buffer_wipe(&remote->headers);
    buffer_free(&remote->post_path);
    bridge_bury(remote->bridge, &remote->remains);
}

static void goodbye_head(struct bridge_fetch *fetch, const struct http_response *response)
{
    (void)response;
    bridge_fetch_close(fetch);
}

static void goodbye_data(struct bridge_fetch *fetch, struct slice data)
{
    (void)fetch;
    (void)data;
}

static void goodbye_done(struct bridge_fetch *fetch, const char *failure)
{
    (void)fetch;
    (void)failure;
}

/* As a client that leaves: the server's session ends (2025-03-26, transports). */
static void remote_leave(struct bridge_link *link)
{
    struct bridge_remote *remote = link->end;
    struct bridge_fetch *fetch = NULL;

    if (!remote->sse && remote->session[0] != '\0' && !remote->bridge->draining)
        fetch = bridge_remote_fetch(remote, "DELETE", buffer_slice(&remote->path), "*/*",
                                    slice_make(NULL, 0), slice_make(NULL, 0));
    if (fetch != NULL) {
        fetch->head = goodbye_head;
        fetch->data = goodbye_data;
        fetch->done = goodbye_done;
    }
    remote_close(link);
}

void bridge_remote_lost(struct bridge_remote *remote, const char *what)
{
    char reason[REMOTE_REASON_MAX];

    if (remote->link == NULL)
        return;
    log_warning("remote_lost", "%s port %u: %s", remote->target.host, remote->target.port, what);
    snprintf(reason, sizeof(reason), "the server is lost: %s", what);
    if (buffer_size(&remote->post_path) == 0 && remote->session[0] == '\0')
        remote->link->status = 502;
    bridge_link_end(remote->link, reason);
}

/* What goes. */

/* A Streamable HTTP server's own stream, once the session is open. */
static void remote_listen(struct bridge_remote *remote)
{
    struct bridge_post *post = bridge_post_new(remote);

    if (post == NULL)
        return;
    post->standing = true;
    bridge_post_start(post);
}

/* Starts what may go, in order: behind `initialize` and `notifications/initialized` all waits until
 * they are answered. Behind the former, until its answer is read, since it names the revision. */
void bridge_remote_run(struct bridge_remote *remote)
{
    struct bridge_post *post = remote->posts;
    struct bridge_post *next;

    for (; post != NULL && remote->link != NULL; post = next) {
        next = post->next;
        if (!post->sent && !post->standing) {
            if (remote->sse && buffer_size(&remote->post_path) == 0)
                return;
            bridge_post_start(post);
            if (remote->link == NULL)
                return;
        }
        if (post->at != NULL && post->barrier)
            return;
    }
}

static int remote_send(struct bridge_link *link, struct slice line, uint64_t id)
{
    struct bridge_remote *remote = link->end;
    struct bridge_message message;
    struct bridge_post *post;
    const char *reason;
    bool initialized;

    if (remote->post_count >= REMOTE_POSTS_MAX)
        return -EAGAIN;
    if (bridge_message_read(line, &message, &reason) != 0)
        return -EINVAL;
    post = bridge_post_new(remote);
    if (post == NULL || buffer_append_slice(&post->line, line) != 0) {
        if (post != NULL)
            bridge_post_free(post);
        return -ENOMEM;
    }
    initialized = bridge_message_is(&message, "notifications/initialized");
    post->id = id;
    post->initialize = bridge_message_is(&message, "initialize");
    /* What is no request is quick to be answered: the order of all stays. */
    post->barrier = post->initialize || initialized || remote->sse;
    bridge_remote_run(remote);
    if (initialized && !remote->sse && remote->link != NULL)
        remote_listen(remote);
    return 0;
}

static void remote_pause(struct bridge_link *link, bool paused)
{
    struct bridge_remote *remote = link->end;

    remote->paused = paused;
    for (struct bridge_post *post = remote->posts; post != NULL; post = post->next)
        bridge_fetch_pause(post->fetch, paused);
}

static const struct bridge_link_ops remote_ops = {
    .send = remote_send, .pause = remote_pause, .close = remote_leave};

/* The begin. */

static struct slice remote_word(struct slice *rest)
{
    const char *end = rest->size == 0 ? NULL : memchr(rest->data, ' ', rest->size);
    struct slice word = *rest;

    if (end == NULL) {
        *rest = slice_make(NULL, 0);
        return word;
    }
    word.size = (size_t)(end - word.data);
    *rest = slice_skip(*rest, word.size + 1);
    return word;
}

static const char *remote_trust(struct bridge_remote *remote, struct slice trust)
{
    static char pem[40 * 1024]; /* more than a worker's word can hold */
    long size = 0;
    bool verify = !slice_is(trust, "none");

    if (!remote->tls)
        return NULL;
    if (verify && trust.size > 0)
        size = base64url_decode(trust, pem, sizeof(pem));
    if (size < 0)
        return "this is no request of a worker";
    remote->target.trust =
        tls_client_find(remote->bridge->trust, slice_make(pem, (size_t)size), verify);
    return remote->target.trust == NULL ? "certificates cannot be checked just now" : NULL;
}

/* "sse https host port address,address path". */
static const char *remote_read(struct bridge_remote *remote, struct slice endpoint)
{
    struct slice kind = remote_word(&endpoint);
    struct slice scheme = remote_word(&endpoint);
    struct slice host = remote_word(&endpoint);
    struct slice port = remote_word(&endpoint);
    struct slice address = remote_word(&endpoint);
    uint64_t number;

    remote->sse = slice_is(kind, "sse");
    remote->tls = slice_is(scheme, "https");
    if (!bridge_message_number(port, &number) || number == 0 || number > UINT16_MAX ||
        host.size == 0 || host.size >= sizeof(remote->target.host) || endpoint.size == 0 ||
        address.size >= sizeof(remote->target.addresses))
        return "this is no request of a worker";
    remote->target.port = (uint16_t)number;
    memcpy(remote->target.host, host.data, host.size);
    memcpy(remote->target.addresses, address.data, address.size);
    return buffer_append_slice(&remote->path, endpoint) == 0 ? NULL : "the bridge is out of memory";
}

/* What the client, and the app's rules, send along with each request. */
static bool remote_carries(enum http_field field)
{
    switch (field) {
    case HTTP_ACCEPT:
    case HTTP_ACCEPT_ENCODING:
    case HTTP_CONNECTION:
    case HTTP_CONTENT_ENCODING:
    case HTTP_CONTENT_LENGTH:
    case HTTP_CONTENT_TYPE:
    case HTTP_EXPECT:
    case HTTP_GATEHOUSE:
    case HTTP_KEEP_ALIVE:
    case HTTP_LAST_EVENT_ID:
    case HTTP_MCP_METHOD:
    case HTTP_MCP_NAME:
    case HTTP_MCP_PROTOCOL_VERSION:
    case HTTP_MCP_SESSION_ID:
    case HTTP_TE:
    case HTTP_TRAILER:
    case HTTP_TRANSFER_ENCODING:
    case HTTP_UPGRADE:
        return false;
    default:
        return true;
    }
}

static bool remote_headers(struct bridge_remote *remote, const struct http_request *request)
{
    int error = 0;

    for (size_t i = 0; i < request->header_count && error == 0; i++) {
        const struct http_header *header = &request->headers[i];

        if (remote_carries(header->field) &&
            !slice_equal_nocase(header->name, slice_from("Cache-Control")))
            error = buffer_append_format(&remote->headers, "%.*s: %.*s\r\n", (int)header->name.size,
                                         header->name.data, (int)header->value.size,
                                         header->value.data);
    }
    return error == 0;
}

struct bridge_link *bridge_remote_open(struct bridge *bridge, struct slice endpoint,
                                       struct slice trust, const struct http_request *request,
                                       const char **reason)
{
    struct bridge_remote *remote = calloc(1, sizeof(*remote));

    *reason = "the bridge is out of memory";
    if (remote == NULL)
        return NULL;
    remote->bridge = bridge;
    remote->tail = &remote->posts;
    *reason = remote_read(remote, endpoint);
    if (*reason == NULL)
        *reason = remote_trust(remote, trust);
    if (*reason == NULL && !remote_headers(remote, request))
        *reason = "the bridge is out of memory";
    if (*reason == NULL)
        remote->link = bridge_link_new(bridge, &remote_ops, remote);
    if (remote->link == NULL) {
        buffer_free(&remote->path);
        buffer_wipe(&remote->headers);
        free(remote);
        return NULL;
    }
    remote->link->state = BRIDGE_LINK_OPEN;
    if (!remote->sse)
        return remote->link;
    remote_listen(remote);
    if (remote->posts != NULL)
        return remote->link;
    *reason = "the app's server cannot be reached";
    bridge_link_drop(remote->link);
    remote_close(remote->link);
    return NULL;
}
