#include "master/explain_command.h"

#include "master/inspection.h"
#include "master/token_file.h"
#include "worker/roles.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

enum { EXPLAIN_UNKNOWN = 2 }; /* the exit status when it cannot be said */

enum explain_option {
    OPTION_STATE = 256,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_APP,
    OPTION_TOKEN_FILE,
    OPTION_TOOL,
    OPTION_ARGS,
    OPTION_PROMPT,
    OPTION_RESOURCE,
    OPTION_BATCH,
};

static const struct option explain_options[] = {
    {"state", required_argument, NULL, OPTION_STATE},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, OPTION_HELP},
    {"app", required_argument, NULL, OPTION_APP},
    {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
    {"tool", required_argument, NULL, OPTION_TOOL},
    {"args", required_argument, NULL, OPTION_ARGS},
    {"prompt", required_argument, NULL, OPTION_PROMPT},
    {"resource", required_argument, NULL, OPTION_RESOURCE},
    {"batch", required_argument, NULL, OPTION_BATCH},
    {NULL, 0, NULL, 0},
};

static const struct inspection_command explain_look = {
    .name = "gatehouse explain",
    .usage =
        "gatehouse explain [-c FILE | --state DIR] --app APP --token-file FILE\n"
        "           --tool NAME [--args JSON] | --prompt NAME | --resource URI | --batch FILE\n"
        "           [--json]\n"
        "Says what the gate would answer, by which rule, and where that rule stands."};

struct explain_line {
    struct explain_request request;
    struct inspection inspection;
    const char *settings, *state, *token_file, *batch_file;
    struct buffer token, batch;
};

static const char **line_value(struct explain_line *line, int option)
{
    switch (option) {
    case 'c':
        return &line->settings;
    case OPTION_STATE:
        return &line->state;
    case OPTION_APP:
        return &line->request.app;
    case OPTION_TOKEN_FILE:
        return &line->token_file;
    case OPTION_TOOL:
        return &line->request.tool;
    case OPTION_ARGS:
        return &line->request.arguments;
    case OPTION_PROMPT:
        return &line->request.prompt;
    case OPTION_RESOURCE:
        return &line->request.resource;
    case OPTION_BATCH:
        return &line->batch_file;
    default:
        return NULL;
    }
}

/* What is missing or too much; NULL: nothing. */
static const char *line_mistake(const struct explain_line *line)
{
    const struct explain_request *request = &line->request;
    int asked = (request->tool != NULL) + (request->prompt != NULL) + (request->resource != NULL) +
                (line->batch_file != NULL);

    if (request->app == NULL)
        return "--app is missing";
    if (line->token_file == NULL)
        return "--token-file is missing";
    if (asked != 1)
        return "name one of --tool, --prompt, --resource and --batch";
    return request->arguments != NULL && request->tool == NULL ? "--args are of a --tool" : NULL;
}

/* True: go on; false: end with *status. */
static bool line_read(struct explain_line *line, int argc, char **argv, int *status)
{
    const char *mistake;
    int option;

    argv[0] = (char *)explain_look.name; /* for getopt's messages */
    *status = EX_OK;
    while ((option = getopt_long(argc, argv, "c:h", explain_options, NULL)) != -1) {
        const char **value = line_value(line, option);

        if (option == 'h' || option == OPTION_HELP) {
            printf("usage: %s\n", explain_look.usage);
            return false;
        }
        if (option == '?')
            break;
        if (value != NULL)
            *value = optarg;
        else
            line->request.json = true;
    }
    mistake = optind < argc ? "it takes options alone" : line_mistake(line);
    if (option == -1 && mistake == NULL)
        return true;
    if (option == -1)
        fprintf(stderr, "%s: %s\n", explain_look.name, mistake);
    fprintf(stderr, "usage: %s\n", explain_look.usage);
    *status = EX_USAGE;
    return false;
}

/* "-" is standard input. The text ends with a NUL, and at no space or line's end when `trim`. */
static int file_read(const struct explain_line *line, const char *path, bool trim,
                     struct buffer *out)
{
    int error = strcmp(path, "-") == 0 ? token_file_read_descriptor(STDIN_FILENO, out)
                                       : token_file_read(path, out);

    while (error == 0 && trim && buffer_size(out) > 0 &&
           memchr(" \t\r\n", buffer_data(out)[buffer_size(out) - 1], 4) != NULL)
        out->end--;
    if (error == 0 && buffer_size(out) > 0 &&
        memchr(buffer_data(out), '\0', buffer_size(out)) != NULL)
        error = -EINVAL;
    if (error == 0)
        error = buffer_append(out, "", 1);
    if (error != 0)
        return inspection_complain(&line->inspection, EX_NOINPUT, "%s: %s", path, strerror(-error));
    return 0;
}

/* Before the user changes: the files are the caller's to read. */
static int line_load(struct explain_line *line)
{
    int status = inspection_locate(&line->inspection, line->state, line->settings);

    if (status == 0)
        status = file_read(line, line->token_file, true, &line->token);
    if (status == 0 && line->batch_file != NULL)
        status = file_read(line, line->batch_file, false, &line->batch);
    line->request.token = buffer_data(&line->token);
    line->request.batch = line->batch_file == NULL ? NULL : buffer_data(&line->batch);
    return status;
}

static int line_run(struct explain_line *line)
{
    char reason[INSPECTION_REASON];
    int status;
    struct store *sessions;

    line->request.config = inspection_use(&line->inspection, STORE_CONFIG, &status);
    if (line->request.config == NULL)
        return EXPLAIN_UNKNOWN;
    /* Without them an old token is judged as a new one. */
    sessions = inspection_open(&line->inspection, STORE_SESSIONS, reason, &status);
    line->request.sessions = sessions;
    status = explain_run(&line->request);
    if (sessions != NULL)
        store_close(sessions);
    store_close(line->request.config);
    return status;
}

int explain_command(int argc, char **argv)
{
    struct explain_line line = {.settings = INSPECTION_SETTINGS,
                                .inspection = {.command = &explain_look}};
    int status;

    if (!line_read(&line, argc, argv, &status))
        return status;
    status = line_load(&line) == 0 ? line_run(&line) : EXPLAIN_UNKNOWN;
    buffer_wipe(&line.token);
    buffer_free(&line.batch);
    return status;
}
