#include "worker/authenticate.h"

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/session_store.h"
#include "worker/audit_event.h"
#include "worker/key_request.h"
#include "worker/session_batch.h"
#include "worker/standing.h"
#include "worker/verification.h"

#include <errno.h>
#include <stdlib.h>

enum {
    AUTH_WAITING_MAX = 1024, /* attempts of a worker that wait for a key */
    AUTH_ROUNDS = 64,        /* of commits in a turn: pipelined requests that follow each other */
};

/* What an attempt is pending for. */
enum attempt_state {
    ATTEMPT_DONE,
    ATTEMPT_BATCH,  /* its session's commit */
    ATTEMPT_KEY,    /* a key that the watcher may fetch */
    ATTEMPT_SECOND, /* a second look for its session in a renewed snapshot, before it is refused */
};

struct authenticator {
    struct standings standings; /* whose store, catalog and audit are ours, too */
    struct child *child;
    struct session_batch batch;
    struct auth_attempt *waiting; /* ATTEMPT_KEY */
    size_t waiting_count;
    struct auth_attempt *second; /* ATTEMPT_SECOND */
    struct key_requests requests;
    int fatal;                  /* -EUCLEAN, once seen */
    struct auth_attempt *spare; /* for the next request: most have their verdict at once */
};

int authenticator_open(struct authenticator **out, struct store *sessions, struct catalog *catalog,
                       struct child *child, struct audit *audit)
{
    struct authenticator *authenticator = calloc(1, sizeof(*authenticator));

    if (authenticator == NULL)
        return -ENOMEM;
    authenticator->standings =
        (struct standings){.sessions = sessions, .catalog = catalog, .audit = audit};
    authenticator->child = child;
    *out = authenticator;
    return 0;
}

void authenticator_close(struct authenticator *authenticator)
{
    if (authenticator == NULL)
        return;
    session_batch_clear(&authenticator->batch);
    key_requests_free(&authenticator->requests);
    known_sessions_free(&authenticator->standings.known);
    free(authenticator->spare);
    free(authenticator);
}

static void attempt_push(struct auth_attempt **list, struct auth_attempt *attempt,
                         enum attempt_state state)
{
    attempt->state = state;
    attempt->next = *list;
    attempt->link = list;
    if (attempt->next != NULL)
        attempt->next->link = &attempt->next;
    *list = attempt;
}

static void attempt_remove(struct authenticator *authenticator, struct auth_attempt *attempt)
{
    if (attempt->state == ATTEMPT_DONE)
        return;
    if (attempt->state == ATTEMPT_KEY)
        authenticator->waiting_count--;
    *attempt->link = attempt->next;
    if (attempt->next != NULL)
        attempt->next->link = attempt->link;
    attempt->state = ATTEMPT_DONE;
}

/* Puts a whole list under another head, so that what is added meanwhile is told apart. */
static void attempts_move(struct auth_attempt **from, struct auth_attempt **to)
{
    *to = *from;
    *from = NULL;
    if (*to != NULL)
        (*to)->link = to;
}

static void authenticator_count(struct authenticator *authenticator,
                                enum scoreboard_counter counter)
{
    scoreboard_count(authenticator->child->block, counter);
}

static void authenticator_count_reason(struct authenticator *authenticator, enum auth_reason reason)
{
    /* Reasons without a counter of their own share that of claims; AUTH_STORE has COUNT_STORE_FULL,
     * counted where it is known to be full. */
    static const enum scoreboard_counter counters[AUTH_REASONS] = {
        [AUTH_OK] = COUNTERS,
        [AUTH_MALFORMED] = COUNT_TOKEN_REFUSED_MALFORMED,
        [AUTH_ALGORITHM] = COUNT_TOKEN_REFUSED_ALG,
        [AUTH_ISSUER] = COUNT_TOKEN_REFUSED_ISSUER,
        [AUTH_EXPIRED] = COUNT_TOKEN_REFUSED_EXPIRED,
        [AUTH_NOT_YET] = COUNT_TOKEN_REFUSED_CLAIM,
        [AUTH_AGE] = COUNT_TOKEN_REFUSED_AGE,
        [AUTH_AUDIENCE] = COUNT_TOKEN_REFUSED_AUDIENCE,
        [AUTH_KID] = COUNT_TOKEN_REFUSED_KID,
        [AUTH_SIGNATURE] = COUNT_TOKEN_REFUSED_SIGNATURE,
        [AUTH_CLAIM] = COUNT_TOKEN_REFUSED_CLAIM,
        [AUTH_SCOPE] = COUNT_TOKEN_REFUSED_CLAIM,
        [AUTH_NO_KEYS] = COUNT_TOKEN_UNAVAILABLE,
        [AUTH_STORE] = COUNTERS,
        [AUTH_REVOKED] = COUNT_TOKEN_REFUSED_REVOKED,
    };

    if (counters[reason] != COUNTERS)
        authenticator_count(authenticator, counters[reason]);
}

static enum auth_verdict attempt_finish(struct authenticator *authenticator,
                                        struct auth_attempt *attempt, enum auth_reason reason,
                                        const char *description)
{
    attempt->reason = reason;
    attempt->description = description;
    attempt->expires = reason == AUTH_OK ? attempt->session->expires : 0;
    if (reason == AUTH_OK)
        attempt->verdict = AUTH_ACCEPTED;
    else if (reason == AUTH_NO_KEYS || reason == AUTH_STORE)
        attempt->verdict = AUTH_UNAVAILABLE;
    else
        attempt->verdict = AUTH_REFUSED;
    authenticator_count_reason(authenticator, reason);
    return attempt->verdict;
}

/* A session that exists is not judged by its token's age, nor does it need the key again: where
 * these would refuse, the answer waits until the store was asked once more. */
static enum auth_verdict attempt_refuse(struct authenticator *authenticator,
                                        struct auth_attempt *attempt, enum auth_reason reason,
                                        const char *description)
{
    if (reason != AUTH_AGE && reason != AUTH_KID && reason != AUTH_NO_KEYS)
        return attempt_finish(authenticator, attempt, reason, description);
    attempt->reason = reason;
    attempt->description = description;
    attempt_push(&authenticator->second, attempt, ATTEMPT_SECOND);
    return AUTH_PENDING;
}

static enum auth_verdict attempt_store_failed(struct authenticator *authenticator,
                                              struct auth_attempt *attempt, int error)
{
    if (error == -EUCLEAN)
        authenticator->fatal = error;
    return attempt_finish(authenticator, attempt, AUTH_STORE, "the gateway's store is unavailable");
}

static enum standing attempt_look(struct authenticator *authenticator, struct auth_attempt *attempt,
                                  int *error)
{
    return standing_find(&authenticator->standings, &attempt->id, attempt->app, &attempt->session,
                         error);
}

static enum auth_verdict attempt_shut_out(struct authenticator *authenticator,
                                          struct auth_attempt *attempt, bool locked)
{
    return attempt_finish(authenticator, attempt, AUTH_REVOKED, standing_reason(locked));
}

/* The key set was fetched with success after this attempt asked for it, or so lately that no new
 * fetch is due: what is not in it does not exist. */
static bool key_set_is_fresh(const struct auth_config_record *config,
                             const struct auth_attempt *attempt)
{
    if (config->keys_static)
        return true;
    if (!config->keys_usable || !config->last_fetch_ok)
        return false;
    return clock_wall_seconds() < config->next_refresh ||
           (attempt->deadline != 0 && config->keys_fetched >= attempt->asked);
}

/* The token names a key that is not there: asks for it, once for all who wait. */
static enum auth_verdict attempt_await_key(struct authenticator *authenticator,
                                           struct auth_attempt *attempt,
                                           const struct auth_config_record *config)
{
    int64_t now = clock_monotonic_milliseconds();

    if (key_set_is_fresh(config, attempt))
        return attempt_refuse(authenticator, attempt, AUTH_KID, "the token's key is not known");
    if (attempt->deadline == 0) {
        attempt->deadline = now + (int64_t)authenticator->child->settings.limits.key_wait;
        attempt->asked = clock_wall_seconds();
    }
    if (now >= attempt->deadline || authenticator->waiting_count >= AUTH_WAITING_MAX)
        return attempt_refuse(authenticator, attempt, AUTH_NO_KEYS,
                              "the issuer's keys are not available");
    attempt->generation = catalog_generation(authenticator->standings.catalog);
    key_request_send(&authenticator->requests, authenticator->child, attempt->generation,
                     config->name);
    attempt_push(&authenticator->waiting, attempt, ATTEMPT_KEY);
    authenticator->waiting_count++;
    return AUTH_PENDING;
}

/* Whether one more session of this user is allowed; counted to the limit and no further. */
static bool authenticator_has_room(const struct authenticator *authenticator,
                                   const struct store_key *user, int *error)
{
    uint64_t limit = authenticator->child->settings.limits.sessions_per_user;
    size_t count = 0;

    *error = 0;
    if (limit == 0)
        return true;
    *error = session_store_count_user(authenticator->standings.sessions, user, limit, &count);
    count += session_batch_count_user(&authenticator->batch, user);
    return *error == 0 && count < limit;
}

/* The token is proven: its session goes into the batch, and the answer waits for the commit. */
static enum auth_verdict attempt_admit(struct authenticator *authenticator,
                                       struct auth_attempt *attempt,
                                       const struct session_record *session, bool renewed)
{
    struct session_batch_entry *entry;
    struct store_key user;
    bool locked;
    int error = catalog_shut_out(authenticator->standings.catalog, &attempt->id, session, &locked);

    if (error == 1)
        return attempt_shut_out(authenticator, attempt, locked);
    if (error < 0)
        return attempt_store_failed(authenticator, attempt, error);
    session_store_user_key(&user, session->issuer, session->user);
    if (!renewed && !authenticator_has_room(authenticator, &user, &error)) {
        if (error != 0)
            return attempt_store_failed(authenticator, attempt, error);
        return attempt_finish(authenticator, attempt, AUTH_STORE,
                              "this user has too many sessions");
    }
    error = session_batch_add(&authenticator->batch, &attempt->id, session, &user, &entry);
    if (error != 0)
        return attempt_store_failed(authenticator, attempt, error);
    entry->renewed = renewed;
    attempt_push(&entry->attempts, attempt, ATTEMPT_BATCH);
    return AUTH_PENDING;
}

/* `current`: its session stands, and needs no other. */
static enum auth_verdict attempt_verify(struct authenticator *authenticator,
                                        struct auth_attempt *attempt,
                                        const struct session_record *previous, bool current)
{
    struct verification verification;
    enum auth_reason reason;
    enum auth_verdict verdict;

    verification_begin(&verification);
    verification.catalog = authenticator->standings.catalog;
    verification.block = authenticator->child->block;
    verification.app = attempt->app;
    verification.token = attempt->token;
    verification.client_address = attempt->client_address;
    verification.previous = previous;
    verification.stands = current;
    reason = verification_make(&verification);
    if (reason == AUTH_OK && current)
        verdict = attempt_finish(authenticator, attempt, AUTH_OK, NULL);
    else if (reason == AUTH_OK)
        verdict = attempt_admit(authenticator, attempt, &verification.judgement.session,
                                previous != NULL);
    else if (reason == AUTH_KID)
        verdict = attempt_await_key(authenticator, attempt, &verification.binding->config);
    else if (reason == AUTH_STORE)
        verdict = attempt_store_failed(authenticator, attempt,
                                       catalog_error(authenticator->standings.catalog));
    else
        verdict = attempt_refuse(authenticator, attempt, reason, verification.description);
    attempt->config = reason == AUTH_SCOPE ? &verification.binding->config : NULL;
    verification_free(&verification);
    return verdict;
}

static enum auth_verdict attempt_judge(struct authenticator *authenticator,
                                       struct auth_attempt *attempt)
{
    struct session_batch_entry *entry;
    int error;
    enum standing standing = attempt_look(authenticator, attempt, &error);

    if (standing == STANDING_UNKNOWN)
        return attempt_store_failed(authenticator, attempt, error);
    if (standing == STANDING_REVOKED || standing == STANDING_LOCKED)
        return attempt_shut_out(authenticator, attempt, standing == STANDING_LOCKED);
    if (standing == STANDING_CURRENT)
        authenticator_count(authenticator, COUNT_SESSIONS_FOUND);
    if (standing == STANDING_CURRENT && authenticator->child->settings.session_cache)
        return attempt_finish(authenticator, attempt, AUTH_OK, NULL);
    entry = session_batch_find(&authenticator->batch, &attempt->id);
    if (entry != NULL) {
        attempt_push(&entry->attempts, attempt, ATTEMPT_BATCH);
        return AUTH_PENDING;
    }
    return attempt_verify(authenticator, attempt,
                          standing == STANDING_NONE ? NULL : attempt->session,
                          standing == STANDING_CURRENT);
}

enum auth_verdict authenticate(struct authenticator *authenticator, struct auth_attempt *attempt)
{
    attempt->state = ATTEMPT_DONE;
    attempt->deadline = 0;
    if (attempt->token.size > JWS_TOKEN_MAX)
        attempt->verdict =
            attempt_finish(authenticator, attempt, AUTH_MALFORMED, "the token is too long");
    else {
        auth_memo_id(attempt->memo, attempt->app, attempt->token, &attempt->id);
        attempt->verdict = attempt_judge(authenticator, attempt);
        /* While the attempt waits, the connection may remember another token. */
        attempt->memo = NULL;
    }
    return attempt->verdict;
}

enum auth_reason authenticator_review(struct authenticator *authenticator,
                                      const struct session_id *id, struct slice app,
                                      struct session_record *session, const char **description)
{
    return standing_review(&authenticator->standings, id, app, session, description);
}

void authenticate_cancel(struct authenticator *authenticator, struct auth_attempt *attempt)
{
    attempt_remove(authenticator, attempt);
}

struct auth_attempt *auth_attempt_make(struct authenticator *authenticator)
{
    struct auth_attempt *attempt = authenticator->spare;

    authenticator->spare = NULL;
    if (attempt == NULL)
        attempt = malloc(sizeof(*attempt));
    if (attempt != NULL)
        *attempt = (struct auth_attempt){0};
    return attempt;
}

void auth_attempt_free(struct authenticator *authenticator, struct auth_attempt *attempt)
{
    if (attempt == NULL)
        return;
    authenticate_cancel(authenticator, attempt);
    if (authenticator->spare == NULL)
        authenticator->spare = attempt;
    else
        free(attempt);
}

/* Gives the attempts of a committed (or failed) entry their verdict. */
static void entry_deliver(struct authenticator *authenticator, struct session_batch_entry *entry,
                          int error)
{
    bool first = true;

    while (entry->attempts != NULL) {
        struct auth_attempt *attempt = entry->attempts;

        attempt_remove(authenticator, attempt);
        if (error != 0) {
            attempt_store_failed(authenticator, attempt, error);
        } else {
            if (!first)
                authenticator_count(authenticator, COUNT_SESSIONS_FOUND);
            attempt->session = &entry->session;
            attempt_finish(authenticator, attempt, AUTH_OK, NULL);
        }
        first = false;
        attempt->done(attempt);
    }
}

static void batch_report(struct authenticator *authenticator, const struct session_batch *batch,
                         int error)
{
    if (error == -ENOSPC)
        authenticator_count(authenticator, COUNT_STORE_FULL);
    if (error != 0) {
        log_error("sessions_not_written", "new sessions are refused: %s", strerror(-error));
        return;
    }
    for (const struct session_batch_entry *entry = batch->entries; entry != NULL;
         entry = entry->next) {
        if (!entry->renewed)
            authenticator_count(authenticator, COUNT_SESSIONS_CREATED);
        audit_session_start(authenticator->standings.audit, &entry->id, &entry->session,
                            entry->renewed);
    }
}

/* Commits what the batch holds; what `done` puts in is another round's. */
static void authenticator_commit_batch(struct authenticator *authenticator,
                                       struct session_batch *batch, int *error)
{
    *batch = authenticator->batch;
    authenticator->batch = (struct session_batch){0};
    *error =
        batch->entries == NULL ? 0 : session_batch_commit(batch, authenticator->standings.sessions);
    batch_report(authenticator, batch, *error);
}

static void attempt_look_again(struct authenticator *authenticator, struct auth_attempt *attempt)
{
    enum auth_reason reason = attempt->reason;
    const char *description = attempt->description;
    int error;
    enum standing standing = attempt_look(authenticator, attempt, &error);

    switch (standing) {
    case STANDING_CURRENT:
        authenticator_count(authenticator, COUNT_SESSIONS_FOUND);
        attempt_finish(authenticator, attempt, AUTH_OK, NULL);
        break;
    case STANDING_REVOKED:
    case STANDING_LOCKED:
        attempt_shut_out(authenticator, attempt, standing == STANDING_LOCKED);
        break;
    case STANDING_UNKNOWN:
        attempt_store_failed(authenticator, attempt, error);
        break;
    default:
        attempt_finish(authenticator, attempt, reason, description);
        break;
    }
}

static void authenticator_round(struct authenticator *authenticator)
{
    struct session_batch batch;
    struct auth_attempt *second;
    int error, refreshed;

    attempts_move(&authenticator->second, &second);
    authenticator_commit_batch(authenticator, &batch, &error);
    if (error == -EUCLEAN)
        authenticator->fatal = error;
    /* So that what was just committed is found by the requests that follow in this turn. */
    refreshed = store_refresh(authenticator->standings.sessions);
    for (struct session_batch_entry *entry = batch.entries; entry != NULL; entry = entry->next)
        entry_deliver(authenticator, entry, error);
    session_batch_clear(&batch);
    while (second != NULL) {
        struct auth_attempt *attempt = second;

        attempt_remove(authenticator, attempt);
        if (refreshed != 0)
            attempt_store_failed(authenticator, attempt, refreshed);
        else
            attempt_look_again(authenticator, attempt);
        attempt->done(attempt);
    }
}

int authenticator_commit(struct authenticator *authenticator)
{
    for (int round = 0; round < AUTH_ROUNDS &&
                        (authenticator->batch.entries != NULL || authenticator->second != NULL);
         round++)
        authenticator_round(authenticator);
    return authenticator->fatal;
}

void authenticator_retry(struct authenticator *authenticator)
{
    uint64_t generation = catalog_generation(authenticator->standings.catalog);
    int64_t now = clock_monotonic_milliseconds();
    struct auth_attempt *waiting;

    attempts_move(&authenticator->waiting, &waiting);
    while (waiting != NULL) {
        struct auth_attempt *attempt = waiting;

        attempt_remove(authenticator, attempt);
        if (attempt->generation == generation && now < attempt->deadline) {
            attempt_push(&authenticator->waiting, attempt, ATTEMPT_KEY);
            authenticator->waiting_count++;
        } else if (attempt_judge(authenticator, attempt) != AUTH_PENDING) {
            attempt->done(attempt);
        }
    }
}

bool authenticator_waiting(const struct authenticator *authenticator)
{
    return authenticator->waiting_count > 0;
}
