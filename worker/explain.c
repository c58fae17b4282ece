#include "shared/clock.h"
#include "shared/session_store.h"
#include "worker/explain_print.h"
#include "worker/roles.h"
#include "worker/verification.h"

#include <errno.h>
#include <stdlib.h>

enum {
    EXPLAIN_ALLOWED = 0,
    EXPLAIN_DENIED = 1,
    EXPLAIN_UNKNOWN = 2,
    EXPLAIN_NAME_MAX = 64 * 1024, /* bytes of a name or URI in a batch */
};

/* A token that was looked at once, and its policy set. */
struct explain {
    const struct explain_request *request;
    struct scoreboard_public public;
    struct scoreboard_block block;
    struct catalog *catalog;
    struct verification verification;
    struct session_record previous; /* of the token, when it has a session */
    struct policy_set *set;
    struct explain_answer answer; /* what is the same in all */
};

static void explain_refuse(struct explain *explain, bool unknown, const char *reason)
{
    explain->answer.session = NULL;
    explain->answer.unknown = unknown;
    explain->answer.refused = reason;
}

/* The age of a token counts for a new session only. */
static void explain_find_session(struct explain *explain, const struct session_id *id)
{
    struct store *sessions = explain->request->sessions;

    if (sessions != NULL && session_store_find(sessions, id, &explain->previous) == 0 &&
        explain->previous.expires > clock_wall_seconds())
        explain->verification.previous = &explain->previous;
}

static void explain_shut_out(struct explain *explain, const struct session_id *id)
{
    bool locked = false;
    int error =
        catalog_shut_out(explain->catalog, id, &explain->verification.judgement.session, &locked);

    if (error < 0)
        explain_refuse(explain, true, "the store cannot be read");
    else if (error == 1)
        explain_refuse(explain, false, locked ? "access is locked" : "the token was revoked");
}

/* Proves the token as a worker does. */
static void explain_verify(struct explain *explain)
{
    struct verification *verification = &explain->verification;
    struct session_id id;
    enum auth_reason reason;

    verification->catalog = explain->catalog;
    verification->block = &explain->block;
    verification->app = slice_from(explain->request->app);
    verification->token = slice_from(explain->request->token);
    verification->client_address = slice_from("");
    session_id_make(&id, SESSION_KIND_JWT, verification->app, verification->token);
    explain_find_session(explain, &id);
    reason = verification_make(verification);
    if (reason == AUTH_STORE)
        explain_refuse(explain, true, "the store cannot be read");
    else if (reason == AUTH_KID || reason == AUTH_NO_KEYS)
        explain_refuse(explain, true,
                       "the token's key is not held: a gate would fetch the key set");
    else if (reason != AUTH_OK)
        explain_refuse(explain, false, verification->description);
    else
        explain_shut_out(explain, &id);
}

static void explain_begin(struct explain *explain)
{
    const struct session_record *session = &explain->verification.judgement.session;
    struct slice app = slice_from(explain->request->app);
    struct catalog_app *found;
    int error = 0;

    explain->answer.app = app;
    explain->answer.session = session;
    if (catalog_open(&explain->catalog, explain->request->config, &explain->public) != 0) {
        explain_refuse(explain, true, "out of memory");
        return;
    }
    catalog_turn(explain->catalog, &error);
    found = catalog_app_find(explain->catalog, app);
    catalog_app_release(found);
    if (found == NULL) {
        explain_refuse(explain, true,
                       catalog_error(explain->catalog) == 0 ? "there is no such app"
                                                            : "the store cannot be read");
        return;
    }
    explain_verify(explain);
    if (explain->answer.session == NULL)
        return;
    explain->set = catalog_policy(explain->catalog, app, session);
    if (explain->set == NULL)
        explain_refuse(explain, true, "the roles cannot be read");
}

static void explain_end(struct explain *explain)
{
    policy_set_release(explain->set);
    verification_free(&explain->verification);
    catalog_close(explain->catalog);
}

/* 0, or EXPLAIN_UNKNOWN after a message. */
static int arguments_read(const char *text, struct json_value *out)
{
    const char *reason = "it is no object";

    if (json_parse(slice_from(text), out, &reason) == 0 && out->kind == JSON_OBJECT)
        return 0;
    fprintf(stderr, "gatehouse explain: the arguments are no JSON object: %s\n", reason);
    return EXPLAIN_UNKNOWN;
}

/* Judges and prints. An exit status. */
static int explain_judge(struct explain *explain, enum policy_kind kind, struct slice name,
                         const struct json_value *arguments)
{
    struct explain_answer answer = explain->answer;

    answer.kind = kind;
    answer.name = name;
    if (answer.session != NULL) {
        struct policy_query query = {.kind = kind,
                                     .name = name,
                                     .arguments = arguments,
                                     .scopes = answer.session->scopes,
                                     .scope_count = answer.session->scope_count};

        answer.decision = policy_judge(explain->set, &query);
    }
    if (explain_print(&answer, explain->request->json, stdout) != 0 || answer.unknown)
        return EXPLAIN_UNKNOWN;
    return answer.session != NULL && answer.decision.outcome == POLICY_ALLOWED ? EXPLAIN_ALLOWED
                                                                               : EXPLAIN_DENIED;
}

static int explain_one(struct explain *explain)
{
    const struct explain_request *request = explain->request;
    struct json_value arguments;

    if (request->prompt != NULL)
        return explain_judge(explain, POLICY_PROMPT, slice_from(request->prompt), NULL);
    if (request->resource != NULL)
        return explain_judge(explain, POLICY_RESOURCE, slice_from(request->resource), NULL);
    if (request->arguments == NULL)
        return explain_judge(explain, POLICY_TOOL, slice_from(request->tool), NULL);
    if (arguments_read(request->arguments, &arguments) != 0)
        return EXPLAIN_UNKNOWN;
    return explain_judge(explain, POLICY_TOOL, slice_from(request->tool), &arguments);
}

/* One line of a batch. 0, or EXPLAIN_UNKNOWN after a message. */
static int explain_line(struct explain *explain, struct slice line, size_t number, char *room)
{
    static const char *const names[] = {"tool", "prompt", "resource", "arguments"};
    struct json_value root, values[4];
    const char *reason = NULL;
    long size = -1;
    int kind = -1;

    if (json_parse(line, &root, &reason) == 0 && json_members(&root, names, 4, values) == 0) {
        for (int i = 0; i < POLICY_KINDS; i++)
            if (values[i].kind == JSON_STRING)
                kind = kind < 0 ? i : POLICY_KINDS;
        if (kind >= 0 && kind < POLICY_KINDS)
            size = json_string(&values[kind], room, EXPLAIN_NAME_MAX);
    }
    if (size < 0 || (values[3].kind != JSON_INVALID && values[3].kind != JSON_OBJECT)) {
        fprintf(stderr, "gatehouse explain: line %zu names no tool, prompt or resource%s%s\n",
                number, reason == NULL ? "" : ": ", reason == NULL ? "" : reason);
        return EXPLAIN_UNKNOWN;
    }
    /* Denied is an answer, too. */
    return explain_judge(explain, (enum policy_kind)kind, slice_make(room, (size_t)size),
                         values[3].kind == JSON_OBJECT ? &values[3] : NULL) == EXPLAIN_UNKNOWN
               ? EXPLAIN_UNKNOWN
               : EXPLAIN_ALLOWED;
}

static int explain_batch(struct explain *explain)
{
    struct slice rest = slice_from(explain->request->batch);
    char *room = malloc(EXPLAIN_NAME_MAX);
    int status = room == NULL ? EXPLAIN_UNKNOWN : EXPLAIN_ALLOWED;

    for (size_t number = 1; rest.size > 0 && status == EXPLAIN_ALLOWED; number++) {
        const char *end = memchr(rest.data, '\n', rest.size);
        struct slice line = rest;

        if (end != NULL)
            line.size = (size_t)(end - rest.data);
        if (line.size > 0)
            status = explain_line(explain, line, number, room);
        rest = slice_skip(rest, line.size + 1);
    }
    free(room);
    return status;
}

int explain_run(const struct explain_request *request)
{
    struct explain *explain =
        aligned_alloc(_Alignof(struct explain), sizeof(*explain)); /* of cache lines */
    int status;

    if (explain == NULL)
        return EXPLAIN_UNKNOWN;
    memset(explain, 0, sizeof(*explain));
    explain->request = request;
    explain_begin(explain);
    status = request->batch != NULL ? explain_batch(explain) : explain_one(explain);
    explain_end(explain);
    free(explain);
    return fflush(stdout) == 0 ? status : EXPLAIN_UNKNOWN;
}
