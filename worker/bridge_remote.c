#include "worker/bridge_remote.h"

#include "shared/base64url.h"
#include "shared/log.h"
#include "worker/bridge_fetch.h"
#include "worker/bridge_reference.h"
#include "worker/event_stream.h"
#include "worker/http_field.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    REMOTE_POSTS_MAX = 128,    /* messages under way, of one session */
    REMOTE_SESSION_MAX = 1024, /* bytes of a server's session id, as mcp_session_record.h has it */
    REMOTE_VERSION_MAX = 32,   /* bytes of a revision's name */
    REMOTE_REASON_MAX = 128,
};

struct remote;

/* A message under way, or (id 0, no message) the standing stream. */
struct remote_post {
    struct bridge_remains remains;
    struct remote_post *next, **at;
    struct remote *remote;
    struct bridge_fetch *fetch; /* NULL: it waits for its turn */
    struct buffer line;         /* that waits */
    uint64_t id;                /* of a request; 0: of none */
    bool initialize;
    bool barrier;  /* nothing else is sent before its response's head is here */
    bool standing; /* the stream that a GET opened */
    unsigned status;
    struct event_stream events;
    struct buffer body; /* a response that is one document */
};

struct remote {
    struct bridge_remains remains;
    struct bridge *bridge;
    struct bridge_link *link; /* NULL: closed */
    bool sse;
    struct bridge_target target;
    bool tls;
    struct buffer path;                /* of the app's endpoint */
    struct buffer headers;             /* Host, and what the client sent along */
    struct buffer post_path;           /* sse: where messages go; empty: not known yet */
    struct remote_post *posts, **tail; /* in order */
    size_t post_count;
    char session[REMOTE_SESSION_MAX + 1];
    char version[REMOTE_VERSION_MAX + 1];
    bool paused;
};

static void remote_run(struct remote *remote);

/* Requests. */

static int remote_head(struct remote *remote, struct buffer *out, const char *method,
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

static struct bridge_fetch *remote_fetch(struct remote *remote, const char *method,
                                         struct slice path, const char *accept, struct slice body)
{
    struct buffer request = {0};
    struct bridge_fetch *fetch = NULL;
    int error = remote_head(remote, &request, method, path, accept);

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

static void post_free(struct remote_post *post)
{
    struct remote *remote = post->remote;

    if (post->at == NULL)
        return;
    bridge_fetch_close(post->fetch);
    *post->at = post->next;
    if (post->next != NULL)
        post->next->at = post->at;
    else
        remote->tail = post->at;
    post->at = NULL;
    remote->post_count--;
    buffer_free(&post->line);
    buffer_free(&post->body);
    event_stream_free(&post->events);
    bridge_bury(remote->bridge, &post->remains);
}

static struct remote_post *post_new(struct remote *remote)
{
    struct remote_post *post = calloc(1, sizeof(*post));

    if (post == NULL)
        return NULL;
    post->remote = remote;
    post->events.limit = remote->bridge->child.settings.stdio.line_size;
    post->at = remote->tail;
    *remote->tail = post;
    remote->tail = &post->next;
    remote->post_count++;
    return post;
}

/* The end. */

static void remote_close(struct bridge_link *link)
{
    struct remote *remote = link->end;

    remote->link = NULL;
    while (remote->posts != NULL)
        post_free(remote->posts);
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
    struct remote *remote = link->end;
    struct bridge_fetch *fetch = NULL;

    if (!remote->sse && remote->session[0] != '\0' && !remote->bridge->draining)
        fetch =
            remote_fetch(remote, "DELETE", buffer_slice(&remote->path), "*/*", slice_make(NULL, 0));
    if (fetch != NULL) {
        fetch->head = goodbye_head;
        fetch->data = goodbye_data;
        fetch->done = goodbye_done;
    }
    remote_close(link);
}

static void remote_lost(struct remote *remote, const char *what)
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

/* What comes. */

/* The value of the event's last `event` field; empty: none. */
static struct slice remote_event_name(const struct event *event)
{
    struct slice rest = slice_skip(event->bytes, event->skip);
    struct slice name = slice_make(NULL, 0);

    while (rest.size > 0) {
        size_t size = 0;

        while (size < rest.size && rest.data[size] != '\n' && rest.data[size] != '\r')
            size++;
        if (size >= 6 && memcmp(rest.data, "event:", 6) == 0)
            name = http_trim(slice_make(rest.data + 6, size - 6));
        rest = slice_skip(rest, size + 1);
    }
    return name;
}

static void remote_endpoint(struct remote *remote, struct slice data)
{
    struct bridge_origin origin = {.tls = remote->tls,
                                   .host = slice_from(remote->target.host),
                                   .port = remote->target.port,
                                   .path = buffer_slice(&remote->path)};
    const char *reason = "the bridge is out of memory";

    if (bridge_reference_resolve(&origin, data, &remote->post_path, &reason) == 0)
        remote_run(remote);
    else
        remote_lost(remote, reason);
}

/* What its initialize brought: the revision, and the session (in the head). */
static void remote_version(struct remote *remote, struct slice text)
{
    static const char *const name[] = {"protocolVersion"};
    struct bridge_message message;
    struct json_value version;
    const char *reason;
    long size;

    if (remote->version[0] != '\0' || bridge_message_read(text, &message, &reason) != 0 ||
        message.kind != BRIDGE_RESPONSE || message.result.kind != JSON_OBJECT ||
        json_members(&message.result, name, 1, &version) != 0 || version.kind != JSON_STRING)
        return;
    size = json_string(&version, remote->version, REMOTE_VERSION_MAX);
    if (size < 0 || !http_is_field_value(slice_make(remote->version, (size_t)size)))
        size = 0;
    remote->version[size] = '\0';
}

static void remote_event(struct remote *remote, const struct event *event)
{
    struct slice name = remote_event_name(event);

    if (!event->has_data || event->data.size == 0)
        return;
    if (!remote->sse) {
        remote_version(remote, event->data);
        bridge_link_receive(remote->link, event->data);
    } else if (buffer_size(&remote->post_path) > 0) {
        if (name.size == 0 || slice_is(name, "message"))
            bridge_link_receive(remote->link, event->data);
    } else if (slice_is(name, "endpoint")) {
        remote_endpoint(remote, event->data);
    } else {
        remote_lost(remote, "its first event is no `endpoint`");
    }
}

static void remote_events(struct remote_post *post, struct slice data)
{
    struct remote *remote = post->remote;
    struct event event;
    int found;

    while (remote->link != NULL && post->at != NULL &&
           (found = event_stream_next(&post->events, &data, &event)) != 0) {
        if (found < 0) {
            remote_lost(remote, "an event is too large");
            return;
        }
        remote_event(remote, &event);
    }
}

static void post_session(struct remote_post *post, const struct http_response *response)
{
    const struct http_header *header =
        http_find(response->headers, response->header_count, HTTP_MCP_SESSION_ID);

    if (!post->initialize || header == NULL || header->value.size > REMOTE_SESSION_MAX)
        return;
    snprintf(post->remote->session, sizeof(post->remote->session), "%.*s", (int)header->value.size,
             header->value.data);
}

static void post_head(struct bridge_fetch *fetch, const struct http_response *response)
{
    struct remote_post *post = fetch->owner;
    struct remote *remote = post->remote;

    post->status = response->status;
    if (post->standing && (response->status != 200 || !response->event_stream)) {
        if (remote->sse)
            remote_lost(remote, "it does not answer with an event stream");
        else
            post_free(post); /* it has none, which is its right */
        return;
    }
    if (!remote->sse && response->status == 404 && remote->session[0] != '\0') {
        remote_lost(remote, "its session is over");
        return;
    }
    post_session(post, response);
    if (post->barrier && !post->initialize) {
        post->barrier = false;
        remote_run(remote);
    }
}

/* Room for one document of the size that a line may have. */
static bool post_collect(struct remote_post *post, struct slice data)
{
    return data.size <= post->events.limit - buffer_size(&post->body) &&
           buffer_append_slice(&post->body, data) == 0;
}

static void post_data(struct bridge_fetch *fetch, struct slice data)
{
    struct remote_post *post = fetch->owner;
    struct remote *remote = post->remote;

    if (!fetch->event_stream) {
        if (!post_collect(post, data)) {
            bridge_link_fail(remote->link, post->id, BRIDGE_INTERNAL_ERROR,
                             "the server's answer is too large");
            post_free(post);
        }
        return;
    }
    remote_events(post, data);
    if (remote->link != NULL && post->at != NULL && post->initialize &&
        remote->version[0] != '\0') {
        post->barrier = false;
        remote_run(remote);
    }
}

/* The response is over: whatever it said, its request has an answer now. */
static void post_answered(struct remote_post *post, const char *failure)
{
    struct remote *remote = post->remote;
    char reason[REMOTE_REASON_MAX];

    if (buffer_size(&post->body) > 0 && !remote->sse && failure == NULL) {
        if (post->initialize)
            remote_version(remote, buffer_slice(&post->body));
        bridge_link_receive(remote->link, buffer_slice(&post->body));
    }
    if (post->id == 0 || remote->link == NULL)
        return;
    if (failure != NULL)
        snprintf(reason, sizeof(reason), "the server cannot be asked: %s", failure);
    else if (post->status >= 300)
        snprintf(reason, sizeof(reason), "the server answered with status %u", post->status);
    else if (!remote->sse)
        snprintf(reason, sizeof(reason), "the server's answer is none");
    else
        return; /* its answer comes on the stream */
    bridge_link_fail(remote->link, post->id, BRIDGE_INTERNAL_ERROR, reason);
}

static void post_done(struct bridge_fetch *fetch, const char *failure)
{
    struct remote_post *post = fetch->owner;
    struct remote *remote = post->remote;

    if (post->standing && remote->sse) {
        remote_lost(remote, failure == NULL ? "its stream ended" : failure);
        return;
    }
    if (post->standing) {
        post_free(post);
        return;
    }
    post_answered(post, failure);
    if (remote->link == NULL)
        return;
    post_free(post);
    remote_run(remote);
}

/* What goes. */

static void post_start(struct remote_post *post)
{
    struct remote *remote = post->remote;

    post->fetch = remote_fetch(
        remote, post->standing ? "GET" : "POST",
        buffer_slice(remote->sse && !post->standing ? &remote->post_path : &remote->path),
        post->standing ? "text/event-stream" : "application/json, text/event-stream",
        buffer_slice(&post->line));
    buffer_free(&post->line);
    if (post->fetch == NULL) {
        bridge_link_fail(remote->link, post->id, BRIDGE_INTERNAL_ERROR,
                         "the server cannot be connected to");
        if (remote->link != NULL)
            post_free(post);
        return;
    }
    post->fetch->owner = post;
    post->fetch->head = post_head;
    post->fetch->data = post_data;
    post->fetch->done = post_done;
    bridge_fetch_pause(post->fetch, remote->paused);
}

/* A Streamable HTTP server's own stream, once the session is open. */
static void remote_listen(struct remote *remote)
{
    struct remote_post *post = post_new(remote);

    if (post == NULL)
        return;
    post->standing = true;
    post_start(post);
}

/* Starts what may go, in order: behind `initialize` and `notifications/initialized` all waits until
 * they are answered. Behind the former, until its answer is read, since it names the revision. */
static void remote_run(struct remote *remote)
{
    struct remote_post *post = remote->posts;
    struct remote_post *next;

    for (; post != NULL && remote->link != NULL; post = next) {
        next = post->next;
        if (post->fetch == NULL && !post->standing) {
            if (remote->sse && buffer_size(&remote->post_path) == 0)
                return;
            post_start(post);
            if (remote->link == NULL)
                return;
        }
        if (post->at != NULL && post->barrier)
            return;
    }
}

static int remote_send(struct bridge_link *link, struct slice line, uint64_t id)
{
    struct remote *remote = link->end;
    struct bridge_message message;
    struct remote_post *post;
    const char *reason;
    bool initialized;

    if (remote->post_count >= REMOTE_POSTS_MAX)
        return -EAGAIN;
    if (bridge_message_read(line, &message, &reason) != 0)
        return -EINVAL;
    post = post_new(remote);
    if (post == NULL || buffer_append_slice(&post->line, line) != 0) {
        if (post != NULL)
            post_free(post);
        return -ENOMEM;
    }
    initialized = bridge_message_is(&message, "notifications/initialized");
    post->id = id;
    post->initialize = bridge_message_is(&message, "initialize");
    /* What is no request is quick to be answered: the order of all stays. */
    post->barrier = post->initialize || initialized || remote->sse;
    remote_run(remote);
    if (initialized && !remote->sse && remote->link != NULL)
        remote_listen(remote);
    return 0;
}

static void remote_pause(struct bridge_link *link, bool paused)
{
    struct remote *remote = link->end;

    remote->paused = paused;
    for (struct remote_post *post = remote->posts; post != NULL; post = post->next)
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

static const char *remote_trust(struct remote *remote, struct slice trust)
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
static const char *remote_read(struct remote *remote, struct slice endpoint)
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

static bool remote_headers(struct remote *remote, const struct http_request *request)
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
    struct remote *remote = calloc(1, sizeof(*remote));

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
