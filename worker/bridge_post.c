#include "worker/bridge_post.h"

#include "shared/log.h"
#include "worker/bridge_reference.h"
#include "worker/connect_event.h"
#include "worker/http_field.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    POST_REASON_MAX = 128,
    POST_ID_MAX = 1024,   /* bytes of an event's id: it stands in a header */
    POST_BREAKS_MAX = 8,  /* connections in a row that brought nothing, before we give up */
    POST_PAUSE = 1000,    /* milliseconds before a stream is asked for again; doubled by breaks */
    POST_PAUSE_MIN = 100, /* whatever the server says */
    POST_PAUSE_MAX = 30 * 1000,
    /* For a resumed stream to say something; doubles. Then it is asked for again: some servers send
     * what they have stored, and nothing more on that stream (as connect_call.c has it). */
    POST_SILENCE = 5000,
    POST_SILENCE_DOUBLINGS = 4,
};

static void post_resume(struct deadline *deadline);

void bridge_post_free(struct bridge_post *post)
{
    struct bridge_remote *remote = post->remote;

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
    buffer_free(&post->last_id);
    deadline_close(&post->resume);
    event_stream_free(&post->events);
    bridge_bury(remote->bridge, &post->remains);
}

struct bridge_post *bridge_post_new(struct bridge_remote *remote)
{
    struct bridge_post *post = calloc(1, sizeof(*post));

    if (post == NULL)
        return NULL;
    post->remote = remote;
    post->events.limit = remote->bridge->child.settings.stdio.line_size;
    deadline_open(&post->resume, remote->bridge->loop, post_resume, post);
    post->at = remote->tail;
    *remote->tail = post;
    remote->tail = &post->next;
    remote->post_count++;
    return post;
}

/* What comes. */

/* The value of the event's last `event` field; empty: none. */
static struct slice post_event_name(const struct event *event)
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

static void post_endpoint(struct bridge_remote *remote, struct slice data)
{
    struct bridge_origin origin = {.tls = remote->tls,
                                   .host = slice_from(remote->target.host),
                                   .port = remote->target.port,
                                   .path = buffer_slice(&remote->path)};
    const char *reason = "the bridge is out of memory";

    if (bridge_reference_resolve(&origin, data, &remote->post_path, &reason) == 0)
        bridge_remote_run(remote);
    else
        bridge_remote_lost(remote, reason);
}

/* What its initialize brought: the revision, and the session (in the head). */
static void post_version(struct bridge_remote *remote, struct slice text)
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
    size = json_string(&version, remote->version, BRIDGE_POST_VERSION_MAX);
    if (size < 0 || !http_is_field_value(slice_make(remote->version, (size_t)size)))
        size = 0;
    remote->version[size] = '\0';
}

/* What a stream may be resumed by. */
static void post_note(struct bridge_post *post, const struct event *event)
{
    struct connect_event fields;

    connect_event_read(event, &fields);
    if (fields.has_id) {
        buffer_clear(&post->last_id);
        if (fields.id.size <= POST_ID_MAX)
            buffer_append_slice(&post->last_id, fields.id);
    }
    if (fields.has_retry)
        post->retry = fields.retry < POST_PAUSE_MAX ? fields.retry : POST_PAUSE_MAX;
    post->heard = post->heard || fields.has_id || event->data.size > 0;
    if (event->data.size > 0)
        post->breaks = post->silences = 0;
}

/* An event of a server of HTTP+SSE. */
static void post_old_event(struct bridge_remote *remote, const struct event *event)
{
    struct slice name = post_event_name(event);

    if (buffer_size(&remote->post_path) > 0) {
        if (name.size == 0 || slice_is(name, "message"))
            bridge_link_receive(remote->link, event->data);
    } else if (slice_is(name, "endpoint")) {
        post_endpoint(remote, event->data);
    } else {
        bridge_remote_lost(remote, "its first event is no `endpoint`");
    }
}

static void post_event(struct bridge_post *post, const struct event *event)
{
    struct bridge_remote *remote = post->remote;

    if (!remote->sse)
        post_note(post, event);
    if (!event->has_data || event->data.size == 0)
        return;
    if (remote->sse) {
        post_old_event(remote, event);
    } else {
        post_version(remote, event->data);
        bridge_link_receive(remote->link, event->data);
    }
}

static bool post_is_open(const struct bridge_post *post)
{
    return post->id != 0 && bridge_call_find(&post->remote->link->calls, post->id) != NULL;
}

/* Listens for a sign of life from a resumed stream. */
static void post_await(struct bridge_post *post)
{
    unsigned doublings =
        post->silences < POST_SILENCE_DOUBLINGS ? post->silences : POST_SILENCE_DOUBLINGS;

    if (post->resumes && !post->standing)
        deadline_set(&post->resume, (uint64_t)POST_SILENCE << doublings);
}

static void post_events(struct bridge_post *post, struct slice data)
{
    struct bridge_remote *remote = post->remote;
    struct event event;
    int found;

    while (remote->link != NULL && post->at != NULL &&
           (found = event_stream_next(&post->events, &data, &event)) != 0) {
        if (found < 0) {
            bridge_remote_lost(remote, "an event is too large");
            return;
        }
        post_await(post);
        post_event(post, &event);
    }
}

/* Its stream is gone, and may be asked for again: after a while. */
static void post_broken(struct bridge_post *post)
{
    uint64_t pause = post->retry > 0 ? post->retry : POST_PAUSE;

    bridge_fetch_close(post->fetch);
    post->fetch = NULL;
    post->resumes = true;
    if (!post->heard && post->breaks <= POST_BREAKS_MAX)
        post->breaks++;
    post->heard = false;
    if (post->breaks > POST_BREAKS_MAX && !post->standing) {
        bridge_link_fail(post->remote->link, post->id, BRIDGE_INTERNAL_ERROR,
                         "the server's stream broke, and cannot be resumed");
        if (post->remote->link != NULL)
            bridge_post_free(post);
        return;
    }
    pause <<= post->breaks;
    if (pause < POST_PAUSE_MIN)
        pause = POST_PAUSE_MIN;
    deadline_set(&post->resume, pause < POST_PAUSE_MAX ? pause : POST_PAUSE_MAX);
}

static void post_resume(struct deadline *deadline)
{
    struct bridge_post *post = deadline->owner;

    if (!post->standing && !post_is_open(post)) {
        bridge_post_free(post); /* its answer came by another stream, or is not wanted any more */
        return;
    }
    if (post->fetch != NULL && post->remote->paused) {
        post_await(post); /* it is we who do not listen */
        return;
    }
    if (post->fetch != NULL)
        post->silences++;
    bridge_fetch_close(post->fetch);
    post->fetch = NULL;
    bridge_post_start(post);
}

static void post_session(struct bridge_post *post, const struct http_response *response)
{
    const struct http_header *header =
        http_find(response->headers, response->header_count, HTTP_MCP_SESSION_ID);

    if (!post->initialize || header == NULL || header->value.size > BRIDGE_POST_SESSION_MAX)
        return;
    snprintf(post->remote->session, sizeof(post->remote->session), "%.*s", (int)header->value.size,
             header->value.data);
}

/* No stream where one was asked for. Time may help; else a server has none, which is its right. */
static void post_refused(struct bridge_post *post)
{
    if (post->status == 409 || post->status == 429 || post->status >= 500) {
        post_broken(post);
        return;
    }
    if (!post->standing)
        bridge_link_fail(post->remote->link, post->id, BRIDGE_INTERNAL_ERROR,
                         "the server's stream broke, and it cannot resume it");
    if (post->remote->link != NULL)
        bridge_post_free(post);
}

static void post_head(struct bridge_fetch *fetch, const struct http_response *response)
{
    struct bridge_post *post = fetch->owner;
    struct bridge_remote *remote = post->remote;
    bool streams = response->status == 200 && response->event_stream;

    post->status = response->status;
    if (post->standing && remote->sse && !streams) {
        bridge_remote_lost(remote, "it does not answer with an event stream");
        return;
    }
    if (!remote->sse && !post->standing && response->status == 404 && remote->session[0] != '\0') {
        bridge_remote_lost(remote, "its session is over");
        return;
    }
    if ((post->standing || post->resumes) && !streams) {
        post_refused(post);
        return;
    }
    post_await(post);
    post_session(post, response);
    if (post->barrier && !post->initialize) {
        post->barrier = false;
        bridge_remote_run(remote);
    }
}

/* Room for one document of the size that a line may have. */
static bool post_collect(struct bridge_post *post, struct slice data)
{
    return data.size <= post->events.limit - buffer_size(&post->body) &&
           buffer_append_slice(&post->body, data) == 0;
}

static void post_data(struct bridge_fetch *fetch, struct slice data)
{
    struct bridge_post *post = fetch->owner;
    struct bridge_remote *remote = post->remote;

    if (!fetch->event_stream) {
        if (!post_collect(post, data)) {
            bridge_link_fail(remote->link, post->id, BRIDGE_INTERNAL_ERROR,
                             "the server's answer is too large");
            bridge_post_free(post);
        }
        return;
    }
    post_events(post, data);
    if (remote->link != NULL && post->at != NULL && post->initialize &&
        remote->version[0] != '\0') {
        post->barrier = false;
        bridge_remote_run(remote);
    }
}

/* The response is over: whatever it said, its request has an answer now. */
static void post_answered(struct bridge_post *post, const char *failure)
{
    struct bridge_remote *remote = post->remote;
    char reason[POST_REASON_MAX];

    if (buffer_size(&post->body) > 0 && !remote->sse && failure == NULL) {
        if (post->initialize)
            post_version(remote, buffer_slice(&post->body));
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
    struct bridge_post *post = fetch->owner;
    struct bridge_remote *remote = post->remote;

    if (post->standing && remote->sse) {
        bridge_remote_lost(remote, failure == NULL ? "its stream ended" : failure);
        return;
    }
    if (!remote->sse &&
        (post->standing || (post_is_open(post) && buffer_size(&post->last_id) > 0))) {
        post_broken(post);
        return;
    }
    post_answered(post, failure);
    if (remote->link == NULL)
        return;
    bridge_post_free(post);
    bridge_remote_run(remote);
}

/* Nothing could be sent. */
static void post_unstarted(struct bridge_post *post)
{
    if (post->resumes || (post->standing && !post->remote->sse)) {
        post_broken(post);
        return;
    }
    bridge_link_fail(post->remote->link, post->id, BRIDGE_INTERNAL_ERROR,
                     "the server cannot be connected to");
    if (post->remote->link != NULL)
        bridge_post_free(post);
}

void bridge_post_start(struct bridge_post *post)
{
    struct bridge_remote *remote = post->remote;
    bool asks = post->standing || post->resumes;
    struct slice path = buffer_slice(remote->sse && !asks ? &remote->post_path : &remote->path);

    event_stream_free(&post->events);
    post->events = (struct event_stream){.limit = remote->bridge->child.settings.stdio.line_size};
    post->sent = true;
    post->fetch =
        bridge_remote_fetch(remote, asks ? "GET" : "POST", path,
                            asks ? "text/event-stream" : "application/json, text/event-stream",
                            buffer_slice(&post->last_id), buffer_slice(&post->line));
    buffer_free(&post->line);
    if (post->fetch == NULL) {
        post_unstarted(post);
        return;
    }
    post->fetch->owner = post;
    post->fetch->head = post_head;
    post->fetch->data = post_data;
    post->fetch->done = post_done;
    bridge_fetch_pause(post->fetch, remote->paused);
}
