#include "worker/connect.h"

#include "worker/connect_call.h"
#include "worker/connect_session.h"
#include "worker/roles.h"
#include "worker/tls_trust.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    CONNECT_READ = 64 * 1024,                  /* bytes of standard input at once */
    CONNECT_CALLS_MAX = 256,                   /* at once: more than clients ask for */
    CONNECT_CALL_BYTES_MAX = 64 * 1024 * 1024, /* of their messages together */
    CONNECT_FILE_MAX = 1024 * 1024,            /* bytes of a CA bundle */
};

/* Seconds for answers when the client has closed our input: it kills us two seconds after. */
static const ev_tstamp connect_grace = 1.;
static const ev_tstamp connect_goodbye = 0.8;

static const char connect_usage[] =
    "usage: gatehouse connect URL [--token-file FILE | --token-command COMMAND |\n"
    "       --token-env NAME | --client-cert FILE --client-key FILE] [--ca FILE]\n"
    "       [-H 'Name: value']... [--insecure]\n"
    "An MCP server on standard input and output, for desktop clients, that is the one at URL.\n";

static void connect_time(struct connect *connect, ev_tstamp seconds)
{
    ev_timer_stop(connect->loop, &connect->timer);
    ev_timer_set(&connect->timer, seconds, 0.);
    ev_timer_start(connect->loop, &connect->timer);
}

/* Ends what is under way, and the session. */
static void connect_leave(struct connect *connect)
{
    struct connect_call *call = NULL;

    if (connect->state >= CONNECT_LEAVES)
        return;
    connect->state = CONNECT_LEAVES;
    ev_io_stop(connect->loop, &connect->input);
    while (connect->calls != NULL)
        connect_call_finish(connect->calls);
    if (connect->session.open && buffer_size(&connect->session.id) > 0)
        call = connect_call_make(connect, CONNECT_GOODBYE, slice_make(NULL, 0), NULL);
    connect->state = CONNECT_BYE;
    if (call == NULL) {
        ev_break(connect->loop, EVBREAK_ALL);
        return;
    }
    connect_time(connect, connect_goodbye);
    connect_call_start(call);
}

static bool connect_owes(const struct connect *connect)
{
    for (const struct connect_call *call = connect->calls; call != NULL; call = call->next)
        if (call->kind <= CONNECT_RESPONSE && !call->answered)
            return true;
    return false;
}

void connect_advance(struct connect *connect)
{
    while (connect->state <= CONNECT_DRAINS && connect->barrier == NULL && connect->queue != NULL) {
        struct connect_call *call = connect->queue;

        connect->queue = call->behind;
        if (connect->queue == NULL)
            connect->queue_end = &connect->queue;
        /* A notification tells what later messages build on; before `initialize` is answered there
         * is no session for them. */
        if (call->kind == CONNECT_NOTIFICATION || call->initialize)
            connect->barrier = call;
        connect_call_start(call);
    }
    if (connect->state == CONNECT_DRAINS && !connect_owes(connect))
        connect_leave(connect);
    if (connect->state == CONNECT_BYE && connect->calls == NULL)
        ev_break(connect->loop, EVBREAK_ALL);
}

static void connect_refuse(struct connect *connect, struct slice id, const char *words)
{
    struct buffer line = {0};

    connect_say("%s", words);
    if (id.size > 0 && connect_message_fail(&line, id, slice_from(words)) == 0)
        connect_output_line(&connect->output, buffer_slice(&line));
    buffer_free(&line);
}

/* true: the message needs no way to the server. A request of 2026-07-28 is cancelled by the end of
 * its stream; one that was never sent, by not sending it. */
static bool connect_cancel(struct connect *connect, const struct mcp_message *message)
{
    struct connect_call *call;

    if (!json_string_is(&message->method, slice_from("notifications/cancelled")) ||
        message->request_id.text.size == 0)
        return false;
    call = connect_call_find(connect, message->request_id.text);
    if (call == NULL)
        return !connect->session.open; /* its answer may be on its way to the client */
    call->cancelled = true;
    if (call->sent && !call->modern)
        return false;
    connect_call_finish(call);
    return true;
}

static void connect_submit(struct connect *connect, struct slice line,
                           const struct mcp_message *message)
{
    static const enum connect_kind kinds[] = {
        [MCP_REQUEST] = CONNECT_REQUEST,
        [MCP_NOTIFICATION] = CONNECT_NOTIFICATION,
        [MCP_RESPONSE] = CONNECT_RESPONSE,
    };
    struct slice id = message->kind == MCP_REQUEST ? message->id : slice_make(NULL, 0);
    struct connect_call *call;

    if (connect->call_count >= CONNECT_CALLS_MAX ||
        connect->call_bytes + line.size > CONNECT_CALL_BYTES_MAX) {
        connect_refuse(connect, id, "too many messages at once");
        return;
    }
    call = connect_call_make(connect, kinds[message->kind], line, message);
    if (call == NULL) {
        connect_refuse(connect, id, "the message cannot be sent: out of memory, or not readable");
        return;
    }
    if (call->kind == CONNECT_RESPONSE) {
        connect_call_start(call); /* somebody waits for it: it waits for nobody */
        return;
    }
    call->wait = CONNECT_WAIT_QUEUE;
    *connect->queue_end = call;
    connect->queue_end = &call->behind;
    connect_advance(connect);
}

static void connect_line(struct connect *connect, struct slice line)
{
    struct mcp_reader reader;
    struct mcp_message message;
    char words[200];

    mcp_reader_begin(&reader, line, false);
    if (mcp_reader_next(&reader, &message) != 1) {
        snprintf(words, sizeof(words), "the client's message cannot be sent on: %s", reader.reason);
        connect_refuse(connect, message.id, words);
    } else if (!connect_cancel(connect, &message)) {
        connect_submit(connect, line, &message);
    }
}

static void connect_lines_read(struct connect *connect)
{
    struct slice line;
    int result;

    while (connect->state == CONNECT_RUNS &&
           (result = connect_lines_next(&connect->lines, &line)) != 0) {
        if (result < 0)
            connect_say("the client sent a line that is too long; it was dropped");
        else
            connect_line(connect, line);
    }
}

static void connect_input_ended(struct connect *connect)
{
    struct slice line;

    if (connect_lines_end(&connect->lines, &line) == 1)
        connect_line(connect, line);
    ev_io_stop(connect->loop, &connect->input);
    connect->state = CONNECT_DRAINS;
    connect_time(connect, connect_grace);
    connect_advance(connect);
}

static void connect_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    struct connect *connect = watcher->data;
    size_t room;
    ssize_t count;

    (void)loop;
    (void)events;
    if (buffer_reserve(&connect->lines.in, CONNECT_READ) != 0) {
        connect_say("out of memory");
        connect_leave(connect);
        return;
    }
    count = read(STDIN_FILENO, buffer_space(&connect->lines.in, &room), CONNECT_READ);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        connect_input_ended(connect);
        return;
    }
    buffer_commit(&connect->lines.in, (size_t)count);
    connect_lines_read(connect);
}

static void connect_timed(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
    struct connect *connect = watcher->data;

    (void)events;
    if (connect->state == CONNECT_DRAINS)
        connect_leave(connect);
    else
        ev_break(loop, EVBREAK_ALL);
}

static void connect_signalled(struct ev_loop *loop, struct ev_signal *watcher, int events)
{
    (void)loop;
    (void)events;
    connect_leave(watcher->data);
}

static void connect_paced(void *context, bool slow)
{
    struct connect *connect = context;

    connect_links_pause(&connect->links, slow);
}

static void connect_unread(void *context)
{
    connect_leave(context);
}

static void connect_token_came(void *context, const char *failure)
{
    if (failure != NULL)
        connect_say("%s", failure);
    connect_calls_wake(context, CONNECT_WAIT_TOKEN, failure);
}

/* The whole file; false: words were said. */
static bool connect_file(const char *path, struct buffer *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t room;
    ssize_t count = -1;

    if (fd >= 0 && buffer_reserve(out, CONNECT_FILE_MAX) == 0)
        count = read(fd, buffer_space(out, &room), CONNECT_FILE_MAX);
    if (count <= 0)
        connect_say("%s: %s", path, count == 0 ? "it is empty" : strerror(errno));
    else
        buffer_commit(out, (size_t)count);
    if (fd >= 0)
        close(fd);
    return count > 0;
}

static bool connect_identify(const struct connect_options *options, struct tls_client *client)
{
    struct tls_pair pair = {.certificate = open(options->client_cert, O_RDONLY | O_CLOEXEC),
                            .key = open(options->client_key, O_RDONLY | O_CLOEXEC)};
    char reason[TLS_REASON_MAX];
    bool good = false;

    if (pair.certificate < 0 || pair.key < 0)
        connect_say("%s: %s", pair.certificate < 0 ? options->client_cert : options->client_key,
                    strerror(errno));
    else if (tls_client_identify(client, &pair, reason) != 0)
        connect_say("%s: %s", options->client_cert, reason);
    else
        good = true;
    if (pair.certificate >= 0)
        close(pair.certificate);
    if (pair.key >= 0)
        close(pair.key);
    return good;
}

/* false: words were said. */
static bool connect_trust(struct connect *connect, struct tls_trust **trust)
{
    const struct connect_options *options = connect->options;
    struct buffer bundle = {0};
    bool good;

    if (!options->uri.tls)
        return true;
    good =
        tls_trust_open(trust) == 0 && (options->ca == NULL || connect_file(options->ca, &bundle));
    if (good) {
        connect->links.tls = tls_client_find(*trust, buffer_slice(&bundle), true);
        good = connect->links.tls != NULL;
        if (!good)
            connect_say("%s: it holds no certificate", options->ca);
    }
    buffer_free(&bundle);
    return good && (options->client_cert == NULL || connect_identify(options, connect->links.tls));
}

static void connect_open(struct connect *connect)
{
    struct ev_loop *loop = connect->loop;

    connect->queue_end = &connect->queue;
    connect_grave_open(&connect->grave, loop);
    connect->links.loop = loop;
    connect->links.grave = &connect->grave;
    connect->links.uri = &connect->options->uri;
    connect->output = (struct connect_output){
        .loop = loop, .paced = connect_paced, .gone = connect_unread, .context = connect};
    connect_output_open(&connect->output);
    connect->token = (struct connect_token){.loop = loop,
                                            .options = connect->options,
                                            .answered = connect_token_came,
                                            .context = connect};
    connect_token_open(&connect->token);
    ev_timer_init(&connect->timer, connect_timed, 0., 0.);
    ev_signal_init(&connect->terminate, connect_signalled, SIGTERM);
    ev_signal_init(&connect->interrupt, connect_signalled, SIGINT);
    ev_io_init(&connect->input, connect_readable, STDIN_FILENO, EV_READ);
    connect->timer.data = connect->terminate.data = connect;
    connect->interrupt.data = connect->input.data = connect;
    ev_signal_start(loop, &connect->terminate);
    ev_signal_start(loop, &connect->interrupt);
    ev_io_start(loop, &connect->input);
}

static void connect_close(struct connect *connect)
{
    connect->state = CONNECT_BYE;
    while (connect->calls != NULL)
        connect_call_finish(connect->calls);
    connect_links_close(&connect->links);
    connect_output_close(&connect->output);
    connect_token_close(&connect->token);
    connect_tools_free(&connect->tools);
    connect_session_free(&connect->session);
    connect_lines_free(&connect->lines);
    connect_grave_close(&connect->grave);
}

int connect_main(int argc, char **argv)
{
    struct connect_options options;
    struct connect connect = {.options = &options};
    struct tls_trust *trust = NULL;
    const char *reason, *about = NULL;
    int status = EX_NOINPUT;

    if (connect_options_read(&options, argc, argv, false, &reason, &about) != 0) {
        connect_say("%s%s%s", about == NULL ? "" : about, about == NULL ? "" : ": ", reason);
        fputs(connect_usage, stderr);
        return EX_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    connect.loop = ev_default_loop(EVFLAG_NOENV);
    if (connect.loop == NULL)
        return EX_OSERR;
    if (connect_trust(&connect, &trust)) {
        connect_open(&connect);
        /* So that a command that asks its user does so before the first message waits. */
        if (!connect_token_ready(&connect.token))
            connect_token_ask(&connect.token);
        ev_run(connect.loop, 0);
        connect_close(&connect);
        status = EX_OK;
    }
    tls_trust_close(trust);
    ev_loop_destroy(connect.loop);
    return status;
}
