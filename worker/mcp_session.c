#include "worker/mcp_session.h"

#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <stdlib.h>

static void write_free(struct mcp_session_write *write)
{
    buffer_free(&write->record);
    free(write);
}

struct mcp_session_write *mcp_sessions_queue(struct mcp_sessions *sessions,
                                             enum mcp_session_change change,
                                             const struct store_key *key,
                                             const struct mcp_session_record *record)
{
    struct mcp_session_write *write = calloc(1, sizeof(*write));

    if (write == NULL)
        return NULL;
    if (record != NULL && mcp_session_record_encode(record, &write->record) != 0) {
        write_free(write);
        return NULL;
    }
    write->change = change;
    write->now = clock_wall_seconds();
    write->key = *key;
    write->next = sessions->writes;
    sessions->writes = write;
    return write;
}

/* An error that ends the transaction; that of this write alone stands in write->error. */
static int write_apply(struct mcp_sessions *sessions, struct mcp_session_write *write)
{
    struct mcp_session_record record;
    int error;

    switch (write->change) {
    case MCP_SESSION_PUT:
        error = mcp_session_record_decode(buffer_slice(&write->record), &record);
        if (error == 0)
            error = mcp_session_put(sessions->store, &write->key, &record, sessions->idle);
        if (error != -EEXIST && error != -EBADMSG)
            return error;
        write->error = error;
        return 0;
    case MCP_SESSION_TOUCH:
        return mcp_session_touch(sessions->store, &write->key, write->now);
    case MCP_SESSION_DELETE:
        return mcp_session_delete(sessions->store, &write->key);
    case MCP_TASK_TOUCH:
        return mcp_task_touch(sessions->store, &write->key, write->now);
    }
    return 0;
}

static int writes_apply(struct mcp_sessions *sessions, struct mcp_session_write *writes)
{
    int error = store_write_begin(sessions->store);

    if (error != 0)
        return error;
    for (struct mcp_session_write *write = writes; write != NULL && error == 0; write = write->next)
        error = write_apply(sessions, write);
    if (error != 0) {
        store_abort(sessions->store);
        return error;
    }
    return store_commit(sessions->store);
}

/* The end of a transaction of one write. */
static int sessions_finish(struct mcp_sessions *sessions, int error)
{
    if (error == 0)
        error = store_commit(sessions->store);
    else
        store_abort(sessions->store);
    if (error == -EUCLEAN)
        sessions->error = error;
    return error;
}

int mcp_sessions_put_task(struct mcp_sessions *sessions, const struct store_key *key,
                          const struct mcp_task_record *record)
{
    int error = store_write_begin(sessions->store);

    if (error != 0)
        return error;
    return sessions_finish(sessions, mcp_task_put(sessions->store, key, record));
}

int mcp_sessions_set_version(struct mcp_sessions *sessions, const struct store_key *key,
                             struct slice version, struct slice identity)
{
    int error = store_write_begin(sessions->store);

    if (error != 0)
        return error;
    return sessions_finish(sessions,
                           mcp_session_set_version(sessions->store, key, version, identity));
}

int mcp_sessions_move(struct mcp_sessions *sessions, const struct store_key *key,
                      const struct mcp_session_home *from, const struct mcp_session_home *to)
{
    int error = store_write_begin(sessions->store);

    if (error != 0)
        return error;
    error = to == NULL ? mcp_session_abandon(sessions->store, key, from)
                       : mcp_session_move(sessions->store, key, from, to, clock_wall_seconds());
    return sessions_finish(sessions, error);
}

int mcp_sessions_commit(struct mcp_sessions *sessions)
{
    struct mcp_session_write *writes = sessions->writes;
    int error;

    if (writes == NULL || sessions->error != 0)
        return sessions->error;
    sessions->writes = NULL; /* what `done` queues is the next turn's */
    error = writes_apply(sessions, writes);
    if (error != 0)
        log_error("mcp_sessions_not_written", "MCP sessions cannot be recorded: %s",
                  strerror(-error));
    while (writes != NULL) {
        struct mcp_session_write *next = writes->next;

        if (writes->done != NULL)
            writes->done(writes->context, error != 0 ? error : writes->error);
        write_free(writes);
        writes = next;
    }
    return error == -EUCLEAN ? error : 0;
}

void mcp_sessions_clear(struct mcp_sessions *sessions)
{
    while (sessions->writes != NULL) {
        struct mcp_session_write *next = sessions->writes->next;

        write_free(sessions->writes);
        sessions->writes = next;
    }
}
