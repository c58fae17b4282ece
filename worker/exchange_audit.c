#include "worker/exchange_audit.h"

#include "shared/clock.h"
#include "worker/exchange.h"
#include "worker/mcp_gate.h"

#include <stdlib.h>

enum {
    NOTE_MAX = 12 * 1024, /* bytes of a note: AUDIT_LINE_MAX without what stands around it */
    NOTE_PIPE_MAX = 3072, /* the same for lines of PIPE_BUF */
    AGENT_MAX = 256,      /* bytes of User-Agent: real ones are shorter */
};

static const char *const outcome_names[] = {
    [POLICY_ALLOWED] = "allowed",
    [POLICY_DENIED] = "denied",
    [POLICY_NEEDS_SCOPE] = "needs_scope",
    [POLICY_UNDECIDED] = "undecided",
};

static struct audit *audit_of(const struct exchange *exchange)
{
    return &exchange->worker->audit;
}

static uint32_t elapsed(const struct exchange *exchange)
{
    int64_t time = clock_monotonic_microseconds() - exchange->audit.begun;

    return time <= 0 ? 1 : time > UINT32_MAX ? UINT32_MAX : (uint32_t)time;
}

/* Where a part of the head stands; empty when it is a part of something else. */
static struct exchange_span head_span(const struct exchange *exchange, struct slice part)
{
    struct slice head = exchange_head(exchange);

    if (part.size == 0 || part.data < head.data ||
        part.data + part.size > head.data + exchange->request->head_size)
        return (struct exchange_span){0};
    return (struct exchange_span){(uint32_t)(part.data - head.data), (uint32_t)part.size};
}

static struct slice head_part(const struct exchange *exchange, struct exchange_span span)
{
    return slice_make(exchange_head(exchange).data + span.at, span.size);
}

/* Some scripts put their credentials into any header. Every JWT begins so (RFC 7519, 3.1). */
static bool agent_has_token(struct slice agent)
{
    return agent.size > 0 && memmem(agent.data, agent.size, "eyJ", 3) != NULL;
}

static struct slice head_agent(const struct http_request *request)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (request->headers[i].field == HTTP_OTHER &&
            slice_equal_nocase(request->headers[i].name, slice_make("user-agent", 10)))
            return agent_has_token(request->headers[i].value) ? slice_make(NULL, 0)
                                                              : request->headers[i].value;
    return slice_make(NULL, 0);
}

void exchange_audit_begin(struct exchange *exchange)
{
    const struct http_request *request = &exchange->worker->request;
    struct client *client = exchange->client;
    struct exchange_audit *facts = &exchange->audit;

    client->request_count++;
    if (!audit_of(exchange)->on || client->admin)
        return;
    facts->begun = clock_monotonic_microseconds();
    facts->number = client->request_count;
    facts->sent_before = client->sent;
    exchange->request->note.path = head_span(exchange, request->path);
    exchange->request->note.agent = head_span(exchange, head_agent(request));
}

void exchange_audit_app(struct exchange *exchange, struct slice app)
{
    if (exchange->audit.begun != 0)
        exchange->request->note.app = head_span(exchange, app);
}

bool exchange_audit_refuses(struct exchange *exchange)
{
    if (exchange->audit.begun == 0 || !audit_refuses(audit_of(exchange)))
        return false;
    exchange->audit.begun = 0;
    return true;
}

void exchange_audit_sent(struct exchange *exchange)
{
    if (exchange->audit.begun != 0 && exchange->request->note.to_upstream == 0)
        exchange->request->note.to_upstream = elapsed(exchange);
}

void exchange_audit_head(struct exchange *exchange)
{
    if (exchange->audit.begun != 0)
        exchange->request->note.to_head = elapsed(exchange);
}

/* The request's caller, once one was accepted. */
static const struct audit_caller *caller_of(const struct exchange *exchange)
{
    const struct audit_caller *caller = exchange->client->caller;

    if (caller == NULL || memcmp(caller->id.text, exchange->session.text, SESSION_ID_SIZE) != 0)
        return NULL;
    return caller;
}

static void put_method(struct audit_line *line, enum http_method method)
{
    static const char *const names[] = {
        [HTTP_METHOD_OTHER] = "other", [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",
        [HTTP_POST] = "POST",          [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH",
        [HTTP_DELETE] = "DELETE",      [HTTP_OPTIONS] = "OPTIONS", [HTTP_CONNECT] = "CONNECT",
        [HTTP_TRACE] = "TRACE",
    };

    audit_line_plain(line, "http", names[method]);
}

/* A scalar only: what is longer than a line, or may have line breaks in it, is no name. */
static void put_scalar(struct audit_line *line, const char *name, struct slice json)
{
    if (json.size > 0 && json.data[0] != '[' && json.data[0] != '{')
        audit_line_json(line, name, json);
}

static void put_decision(struct audit_line *line, const struct exchange_rpc *rpc)
{
    /* What the protocol's own rules refused, no policy has seen. */
    if (rpc->policy == NULL || (rpc->refusal != NULL && rpc->outcome == POLICY_ALLOWED))
        return;
    audit_line_plain(line, "decision", outcome_names[rpc->outcome]);
    audit_line_text(line, "role", rpc->role, AUDIT_VALUE_MAX);
    audit_line_text(line, "rule", rpc->place, AUDIT_VALUE_MAX);
}

/* Every message of a batch has a line: nothing hides in it. */
static size_t note_batch(struct exchange *exchange)
{
    struct audit *audit = audit_of(exchange);
    struct mcp_message message;
    struct mcp_reader reader;
    size_t count = 0;

    mcp_reader_begin(&reader, exchange_body(exchange), true);
    while (mcp_reader_next(&reader, &message) == 1) {
        const struct json_value *target = mcp_gate_target(&message);
        struct audit_line line;

        audit_begin(audit, &line, "batch_message");
        audit_line_number(&line, "connection", exchange->client->number);
        audit_line_number(&line, "request", exchange->audit.number);
        put_scalar(&line, "method", message.method.text);
        put_scalar(&line, "id", message.id);
        if (target != NULL)
            put_scalar(&line, "name", target->text);
        audit_end(audit, &line);
        count++;
    }
    return count;
}

static void note_rpc(struct exchange *exchange, struct audit_line *line)
{
    const struct exchange_rpc *rpc = &exchange->request->rpc;
    struct slice arguments = exchange_part(exchange, rpc->arguments);

    if (rpc->batch)
        audit_line_number(line, "batch", note_batch(exchange));
    put_scalar(line, "method", exchange_part(exchange, rpc->name));
    put_scalar(line, "id", exchange_part(exchange, rpc->id));
    put_scalar(line, "name", exchange_part(exchange, rpc->target));
    put_decision(line, rpc);
    if (audit_of(exchange)->arguments)
        audit_line_text(line, "arguments", arguments, AUDIT_ARGUMENTS_MAX);
}

static void note_app(const struct exchange *exchange, struct audit_line *line)
{
    const struct audit_caller *caller = caller_of(exchange);

    if (caller != NULL)
        audit_caller_put(line, caller);
    else if (exchange->app != NULL)
        audit_line_text(line, "app", exchange->app->record.name, AUDIT_VALUE_MAX);
    else
        audit_line_text(line, "app", head_part(exchange, exchange->request->note.app),
                        AUDIT_VALUE_MAX);
}

static void note_endpoint(const struct exchange *exchange, struct audit_line *line)
{
    const struct upstream *upstream = exchange->upstream;

    if (upstream != NULL)
        audit_line_endpoint(line, "endpoint", slice_from(upstream->server->target.address),
                            upstream->server->target.port);
}

/* A body that was refused by its length did not come, or not all of it. */
static uint64_t bytes_in(const struct exchange *exchange)
{
    uint64_t whole = exchange->request->head_size + exchange->request->body_size;
    uint64_t here = buffer_size(&exchange->client->in);

    if (!exchange->request->in_place)
        return exchange->request->head_size + buffer_size(&exchange->request->body);
    return whole < here ? whole : here;
}

void exchange_audit_note(struct exchange *exchange)
{
    struct exchange_note *note = &exchange->request->note;
    char bytes[NOTE_MAX];
    struct audit_line line = {.bytes = bytes,
                              .room = audit_of(exchange)->file ? NOTE_MAX : NOTE_PIPE_MAX};

    if (exchange->audit.begun == 0 || note->noted)
        return;
    note->noted = true;
    note->bytes_in = bytes_in(exchange);
    note_app(exchange, &line);
    put_method(&line, exchange->method);
    if (!exchange->mcp)
        audit_line_text(&line, "path", head_part(exchange, note->path), AUDIT_VALUE_MAX);
    audit_line_text(&line, "agent", head_part(exchange, note->agent), AGENT_MAX);
    audit_put_mcp_session(&line,
                          slice_make(exchange_head(exchange).data + exchange->request->mcp_id_at,
                                     exchange->request->mcp_id_size));
    note_endpoint(exchange, &line);
    if (exchange->mcp)
        note_rpc(exchange, &line);
    note->text = malloc(line.size);
    if (note->text == NULL)
        return; /* its line says so */
    memcpy(note->text, bytes, line.size);
    note->size = (uint32_t)line.size;
    note->cut = line.cut;
}

static void put_connection(struct audit_line *line, const struct client *client, uint32_t number)
{
    audit_line_number(line, "connection", client->number);
    audit_line_number(line, "request", number);
    audit_line_plain(line, "client", client->address);
}

static void put_note(const struct exchange_note *note, struct audit_line *line)
{
    audit_line_members(line, slice_make(note->text, note->size));
    line->cut = line->cut || note->cut || note->text == NULL;
}

static void put_reason(const struct exchange *exchange, struct audit_line *line)
{
    if (exchange->audit.reason != NULL)
        audit_line_text(line, "reason", slice_from(exchange->audit.reason), AUDIT_VALUE_MAX);
    audit_line_duration(line, "ms", elapsed(exchange));
}

static void put_bytes_out(const struct exchange *exchange, struct audit_line *line)
{
    const struct client *client = exchange->client;
    uint64_t out = client->sent - exchange->audit.sent_before;

    /* What still waits to be written is on its way, unless the client is gone. */
    if (client->state != CLIENT_CLOSED)
        out += buffer_size(&client->out);
    audit_line_number(line, "bytes_out", out);
}

static void put_request(const struct exchange *exchange, struct audit_line *line)
{
    const struct exchange_note *note = &exchange->request->note;

    put_note(note, line);
    if (note->status != 0)
        audit_line_number(line, "status", note->status);
    put_reason(exchange, line);
    if (note->to_upstream > 0)
        audit_line_duration(line, "upstream_ms", note->to_upstream);
    if (note->to_head > 0)
        audit_line_duration(line, "first_byte_ms", note->to_head);
    audit_line_number(line, "bytes_in", note->bytes_in);
    put_bytes_out(exchange, line);
}

/* Of an event stream, whose first line has told of the request. */
static void put_stream(const struct exchange *exchange, struct audit_line *line)
{
    audit_line_plain(line, "session", exchange->session.text);
    put_reason(exchange, line);
    put_bytes_out(exchange, line);
}

void exchange_audit_stream(struct exchange *exchange)
{
    struct exchange_audit *facts = &exchange->audit;
    struct audit_line line;

    if (facts->begun == 0)
        return;
    audit_begin(audit_of(exchange), &line, "request");
    put_connection(&line, exchange->client, facts->number);
    put_request(exchange, &line);
    audit_line_true(&line, "stream");
    audit_end(audit_of(exchange), &line);
    facts->streams = true;
    if (exchange->method != HTTP_GET)
        return;
    /* It waits for events, for hours perhaps: it keeps no text of its caller either. */
    free(exchange->client->caller);
    exchange->client->caller = NULL;
}

static const char *event_of(const struct exchange *exchange)
{
    if (exchange->audit.streams)
        return "stream_end";
    return exchange->request->note.refused && exchange->request->note.to_upstream == 0 ? "refused"
                                                                                       : "request";
}

void exchange_audit_end(struct exchange *exchange)
{
    struct exchange_audit *facts = &exchange->audit;
    bool stranger = exchange->session.text[0] == '\0';
    struct audit_line line;

    if (facts->begun == 0)
        return;
    if (facts->reason == NULL && exchange->client->state == CLIENT_CLOSED)
        facts->reason = "the client left";
    if (!stranger || audit_admits_stranger(audit_of(exchange))) {
        if (!facts->streams)
            exchange_audit_note(exchange);
        audit_begin(audit_of(exchange), &line, event_of(exchange));
        put_connection(&line, exchange->client, facts->number);
        if (facts->streams)
            put_stream(exchange, &line);
        else
            put_request(exchange, &line);
        audit_end(audit_of(exchange), &line);
    }
    facts->begun = 0;
}

void exchange_audit_malformed(struct client *client, unsigned status, const char *reason)
{
    struct audit *audit = &client->worker->audit;
    struct audit_line line;

    client->request_count++;
    if (!audit->on || client->admin || !audit_admits_stranger(audit))
        return;
    audit_begin(audit, &line, "refused");
    put_connection(&line, client, client->request_count);
    audit_line_number(&line, "status", status);
    audit_line_text(&line, "reason", slice_from(reason), AUDIT_VALUE_MAX);
    audit_end(audit, &line);
}
