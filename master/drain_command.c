#include "master/drain_command.h"

#include "conf/roles.h"
#include "master/control_client.h"
#include "master/inspection.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

static const char drain_usage[] =
    "usage: gatehouse drain APP ENDPOINT [--undo] [-c FILE]\n"
    "\n"
    "The endpoint's MCP sessions go on to their end, new ones and everything else go to the app's\n"
    "other endpoints. ENDPOINT is HOST:PORT, or the URI that its document says. It holds over\n"
    "restarts and changes of the app, until --undo.\n";

struct drain {
    const char *settings;
    struct control_request request;
};

static int drain_complain(int status, const char *what, const char *why)
{
    fprintf(stderr, "gatehouse drain: %s%s%s\n", what, why[0] == '\0' ? "" : ": ", why);
    return status;
}

static int drain_read(struct drain *drain, int argc, char **argv)
{
    struct control_drain *asked = &drain->request.drain;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--undo") == 0)
            asked->undo = true;
        else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
            drain->settings = argv[++i];
        else if (argv[i][0] == '-')
            return drain_complain(EX_USAGE, argv[i], "there is no such option; see --help");
        else if (asked->app.size == 0)
            asked->app = slice_from(argv[i]);
        else if (asked->endpoint.size == 0)
            asked->endpoint = slice_from(argv[i]);
        else
            return drain_complain(EX_USAGE, argv[i], "one app and one endpoint at a time");
    }
    if (asked->endpoint.size == 0)
        return drain_complain(EX_USAGE, "name an app and one of its endpoints; see --help", "");
    return 0;
}

static int drain_ask(const struct drain *drain, int fd)
{
    const struct control_drain *asked = &drain->request.drain;
    struct control_answer answer = {0};
    struct buffer memory = {0};
    int error = control_client_ask(fd, &drain->request, &memory, &answer);
    char text[CONTROL_TEXT_MAX + 1];
    int status = EX_OK;

    snprintf(text, sizeof(text), "%.*s", (int)answer.text.size, answer.text.data);
    if (error != 0)
        status = drain_complain(EX_UNAVAILABLE, "the watcher did not confirm: ask again",
                                strerror(-error));
    else if (answer.status != 0)
        status = drain_complain(answer.status == -ENOENT ? EX_DATAERR : EX_IOERR,
                                "nothing was changed", text);
    else
        printf("%.*s of %.*s %s\n", (int)asked->endpoint.size, asked->endpoint.data,
               (int)asked->app.size, asked->app.data, asked->undo ? "serves again" : "drains");
    buffer_free(&memory);
    return status;
}

int drain_command(int argc, char **argv)
{
    struct drain drain = {.settings = INSPECTION_SETTINGS};
    char state_dir[PATH_MAX];
    int status, error, fd;

    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(drain_usage, stdout);
        return EX_OK;
    }
    status = drain_read(&drain, argc, argv);
    if (status == 0)
        status = state_dir_read(drain.settings, state_dir, sizeof(state_dir));
    if (status != 0)
        return status;
    error = control_client_connect(state_dir, &fd);
    if (error < 0)
        return drain_complain(error == -EACCES || error == -EPERM ? EX_NOPERM : EX_UNAVAILABLE,
                              "nothing was changed: the watcher cannot be asked", strerror(-error));
    status = drain_ask(&drain, fd);
    close(fd);
    return status;
}
