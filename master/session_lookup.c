#include "master/session_lookup.h"

#include "master/privilege.h"
#include "shared/session_store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOKUP_SKEW = 300 }; /* seconds: the largest clock_skew that a config may have */

/* What the child sends. */
struct lookup_reply {
    int error;
    struct session_lookup lookup;
};

static int lookup_become_owner(const char *directory)
{
    struct settings_user owner = {0};
    struct stat status;

    if (geteuid() != 0)
        return 0;
    if (lstat(directory, &status) < 0)
        return -errno;
    owner.uid = status.st_uid;
    owner.gid = status.st_gid;
    return owner.uid == 0 ? 0 : privilege_drop(&owner);
}

static void lookup_fill(const struct session_record *session, struct session_lookup *out)
{
    int64_t ends = session->expires > session->expires_at ? session->expires : session->expires_at;

    out->ends = ends < INT64_MAX - LOOKUP_SKEW ? ends + LOOKUP_SKEW : ends;
    if (session->signing_input.size == DIGEST_HEX_SIZE)
        memcpy(out->signing_input, session->signing_input.data, DIGEST_HEX_SIZE);
}

static int lookup_read(const char *directory, const struct session_id *id,
                       struct session_lookup *out)
{
    struct store_options options = {.directory = directory, .environment = STORE_SESSIONS};
    struct session_record session;
    struct store *store;
    int error = lookup_become_owner(directory);

    if (error == 0)
        error = store_open(&store, &options);
    if (error != 0)
        return error;
    store_turn_begin(store);
    error = session_store_find(store, id, &session);
    if (error == 0)
        lookup_fill(&session, out);
    store_turn_end(store);
    store_close(store);
    return error;
}

static int lookup_receive(int fd, pid_t child, struct lookup_reply *reply)
{
    ssize_t size = read(fd, reply, sizeof(*reply));
    int status;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (size != (ssize_t)sizeof(*reply))
        return -EIO; /* a damaged page ends who reads it */
    reply->lookup.signing_input[DIGEST_HEX_SIZE] = '\0';
    return reply->error;
}

int session_lookup_find(const char *state_dir, struct slice id, struct session_lookup *out)
{
    struct lookup_reply reply = {0};
    struct session_id session = {0};
    char directory[PATH_MAX];
    int fds[2], error;
    pid_t child;

    if (id.size != SESSION_ID_SIZE)
        return -ENOENT;
    memcpy(session.text, id.data, id.size);
    if (snprintf(directory, sizeof(directory), "%s/sessions", state_dir) >= (int)sizeof(directory))
        return -ENAMETOOLONG;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    child = fork();
    if (child == 0) {
        reply.error = lookup_read(directory, &session, &reply.lookup);
        _exit(write(fds[1], &reply, sizeof(reply)) == (ssize_t)sizeof(reply) ? 0 : 1);
    }
    error = child < 0 ? -errno : 0;
    close(fds[1]);
    if (error == 0)
        error = lookup_receive(fds[0], child, &reply);
    close(fds[0]);
    *out = reply.lookup;
    return error;
}
