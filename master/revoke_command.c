#include "master/revoke_command.h"

#include "conf/roles.h"
#include "master/control_client.h"
#include "master/session_lookup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static const char revoke_usage[] =
    "usage: gatehouse sessions revoke WHAT [--reason TEXT] -c FILE\n"
    "\n"
    "WHAT is one of\n"
    "  --session ID             a session, and the token that made it, in all its forms\n"
    "  --user U [--issuer I]    every token of a user that was issued up to now\n"
    "  --subject S [--issuer I] the same, by the token's sub\n"
    "  --jti J [--issuer I]     the token of that jti\n"
    "  --app A                  every token of an app that was issued up to now\n"
    "\n"
    "Returns when it is in force for good: synced to disk; all workers see it within a second.\n"
    "Tokens issued later open sessions again: a document of kind lock shuts out those, too.\n";

enum revoke_option {
    OPTION_REASON = REVOCATION_KINDS, /* below it: the kinds */
    OPTION_ISSUER,
    OPTION_CONFIG,
    OPTIONS
};

static const char *const option_names[OPTIONS] = {
    [REVOCATION_SESSION] = "--session",
    [REVOCATION_SIGNING_INPUT] = NULL,
    [REVOCATION_JTI] = "--jti",
    [REVOCATION_SUBJECT] = "--subject",
    [REVOCATION_USER] = "--user",
    [REVOCATION_APP] = "--app",
    [OPTION_REASON] = "--reason",
    [OPTION_ISSUER] = "--issuer",
    [OPTION_CONFIG] = "-c",
};

struct revoke {
    const char *values[OPTIONS];
    enum revocation_kind kind;
    char state_dir[PATH_MAX];
    struct control_request request;
    struct session_lookup session;
    bool session_found;
};

static int revoke_complain(int status, const char *what, const char *why)
{
    fprintf(stderr, "gatehouse sessions revoke: %s%s%s\n", what, why[0] == '\0' ? "" : ": ", why);
    return status;
}

/* `--name value`, `--name=value` or `-c FILE`. */
static int revoke_take(struct revoke *revoke, int argc, char **argv, int *next)
{
    const char *argument = argv[(*next)++];
    size_t size = strncmp(argument, "--", 2) == 0 ? strcspn(argument, "=") : strlen(argument);

    for (int i = 0; i < OPTIONS; i++) {
        if (option_names[i] == NULL || strlen(option_names[i]) != size ||
            memcmp(option_names[i], argument, size) != 0)
            continue;
        if (revoke->values[i] != NULL)
            return revoke_complain(EX_USAGE, argument, "given twice");
        if (argument[size] == '=')
            revoke->values[i] = argument + size + 1;
        else if (*next < argc)
            revoke->values[i] = argv[(*next)++];
        if (revoke->values[i] == NULL || revoke->values[i][0] == '\0')
            return revoke_complain(EX_USAGE, argument, "needs a value");
        return 0;
    }
    return revoke_complain(EX_USAGE, argument, "there is no such option; see --help");
}

static bool session_is_id(struct slice text)
{
    if (text.size != SESSION_ID_SIZE || text.data[3] != '_')
        return false;
    for (size_t i = 4; i < text.size; i++)
        if (!(text.data[i] >= '0' && text.data[i] <= '9') &&
            !(text.data[i] >= 'a' && text.data[i] <= 'f'))
            return false;
    return true;
}

static int revoke_fill(struct revoke *revoke)
{
    struct revocation_target *target = &revoke->request.target;
    size_t count = 0;

    for (unsigned kind = 0; kind < REVOCATION_KINDS; kind++) {
        target->values[kind] = slice_from(revoke->values[kind]);
        count += target->values[kind].size > 0;
    }
    target->issuer = slice_from(revoke->values[OPTION_ISSUER]);
    revoke->request.why = slice_from(revoke->values[OPTION_REASON]);
    revoke->kind = revocation_target_kind(target);
    if (revoke->values[OPTION_CONFIG] == NULL)
        return revoke_complain(EX_USAGE, "-c FILE is missing", "");
    if (count != 1)
        return revoke_complain(EX_USAGE,
                               "name one of --session, --user, --subject, --jti and --app", "");
    if (target->issuer.size > 0 && !revocation_kind_has_issuer(revoke->kind))
        return revoke_complain(EX_USAGE, "--issuer narrows --user, --subject or --jti alone", "");
    if (revoke->kind == REVOCATION_SESSION && !session_is_id(target->values[REVOCATION_SESSION]))
        return revoke_complain(EX_USAGE, "--session",
                               "an id is its kind, '_' and 64 hexadecimal digits");
    return 0;
}

/* Judged here as the watcher will, for a sentence instead of its "not a request". */
static int revoke_check(const struct revoke *revoke)
{
    struct control_request again;
    struct buffer bytes = {0};
    int error = control_request_encode(&revoke->request, &bytes);

    if (error == 0)
        error = control_request_decode(buffer_slice(&bytes), &again);
    buffer_free(&bytes);
    return error == 0
               ? 0
               : revoke_complain(EX_USAGE, "a value is too long or holds control characters", "");
}

/* Without it the session's other forms, of the same token, stay good: worth a word. */
static void revoke_look_up(struct revoke *revoke)
{
    struct control_request *request = &revoke->request;
    int error = session_lookup_find(revoke->state_dir, request->target.values[REVOCATION_SESSION],
                                    &revoke->session);

    if (error != 0) {
        fprintf(stderr, "gatehouse sessions revoke: the session %s (%s): its id alone is revoked\n",
                error == -ENOENT ? "is not there" : "cannot be read", strerror(-error));
        return;
    }
    request->target.values[REVOCATION_SIGNING_INPUT] = slice_from(revoke->session.signing_input);
    request->ends = revoke->session.ends;
    revoke->session_found = true;
}

static void time_print(int64_t seconds)
{
    time_t time = (time_t)seconds;
    char text[32];
    struct tm parts;

    if (gmtime_r(&time, &parts) != NULL &&
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) > 0)
        fputs(text, stdout);
}

static void revoke_print(const struct revoke *revoke, const struct control_answer *answer)
{
    printf("revoked %s %s%s%s", revocation_kind_name(revoke->kind), revoke->values[revoke->kind],
           revoke->values[OPTION_ISSUER] != NULL ? " of " : "",
           revoke->values[OPTION_ISSUER] != NULL ? revoke->values[OPTION_ISSUER] : "");
    if (revoke->kind == REVOCATION_SESSION)
        fputs(revoke->session_found ? " and its token" : " (the id alone)", stdout);
    if (answer->since != 0) {
        fputs(": tokens issued up to ", stdout);
        time_print(answer->since);
    }
    fputs(": refused until ", stdout);
    time_print(answer->until);
    putchar('\n');
}

static int revoke_unreachable(int error)
{
    if (error == -EACCES || error == -EPERM)
        return revoke_complain(EX_NOPERM, "only root and the watcher's user may revoke",
                               strerror(-error));
    return revoke_complain(EX_UNAVAILABLE, "nothing was revoked: the watcher is not there",
                           strerror(-error));
}

static int revoke_ask(struct revoke *revoke, int fd)
{
    struct control_answer answer = {0};
    struct buffer memory = {0};
    int error = control_client_ask(fd, &revoke->request, &memory, &answer);
    int status = EX_OK;

    if (error == -ECONNRESET || error == -EPIPE)
        status = revoke_complain(EX_UNAVAILABLE,
                                 "the watcher did not confirm: it ended, or refused this user; "
                                 "revoke again",
                                 "");
    else if (error != 0)
        status = revoke_complain(EX_UNAVAILABLE, "the watcher did not confirm: revoke again",
                                 strerror(-error));
    else if (answer.status != 0)
        status = revoke_complain(EX_IOERR, "nothing was revoked", strerror(-answer.status));
    else
        revoke_print(revoke, &answer);
    buffer_free(&memory);
    return status;
}

static int revoke_run(struct revoke *revoke)
{
    int fd;
    int error =
        state_dir_read(revoke->values[OPTION_CONFIG], revoke->state_dir, sizeof(revoke->state_dir));
    int status;

    if (error != 0)
        return error;
    if (revoke->kind == REVOCATION_SESSION)
        revoke_look_up(revoke);
    error = control_client_connect(revoke->state_dir, &fd);
    if (error < 0)
        return revoke_unreachable(error);
    status = revoke_ask(revoke, fd);
    close(fd);
    return status;
}

int revoke_command(int argc, char **argv)
{
    struct revoke revoke = {0};
    int status = 0;

    if (argc >= 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        fputs(revoke_usage, stdout);
        return EX_OK;
    }
    for (int next = 0; next < argc && status == 0;)
        status = revoke_take(&revoke, argc, argv, &next);
    if (status == 0)
        status = revoke_fill(&revoke);
    if (status == 0)
        status = revoke_check(&revoke);
    return status == 0 ? revoke_run(&revoke) : status;
}
