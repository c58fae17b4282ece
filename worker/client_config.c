/* `gatehouse client-config`: what to paste into a desktop client's configuration. */
#include "worker/client_config.h"
#include "shared/buffer.h"
#include "shared/json.h"
#include "worker/connect_options.h"
#include "worker/roles.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { CONFIG_NAME_MAX = 64 };

static const char config_usage[] =
    "usage: gatehouse client-config --client claude|cursor|vscode URL [--name NAME]\n"
    "       [options of gatehouse connect]\n"
    "Prints the entry for the client's configuration:\n"
    "  claude  claude_desktop_config.json, or .mcp.json of a project\n"
    "  cursor  ~/.cursor/mcp.json, or .cursor/mcp.json of a project\n"
    "  vscode  .vscode/mcp.json, or mcp.json of the user's profile\n";

/* How the clients differ: in the name of the one object around the entries, and in whether an entry
 * says how it is spoken to. */
static const struct config_client {
    const char *name, *servers, *type;
} config_clients[] = {
    {"claude", "mcpServers", NULL},
    {"cursor", "mcpServers", NULL},
    {"vscode", "servers", "stdio"},
};

struct config_writer {
    struct buffer *out; /* borrowed */
    bool comma;
    int error;
};

static void config_text(struct config_writer *writer, const char *text)
{
    if (writer->error == 0)
        writer->error = buffer_append_text(writer->out, text);
}

static void config_string(struct config_writer *writer, const char *text)
{
    if (writer->error == 0)
        writer->error = json_append_string(writer->out, slice_from(text));
}

static void config_argument(struct config_writer *writer, const char *text)
{
    config_text(writer, writer->comma ? ", " : "");
    config_string(writer, text);
    writer->comma = true;
}

static void config_option(struct config_writer *writer, const char *name, const char *value)
{
    if (value == NULL)
        return;
    config_argument(writer, name);
    config_argument(writer, value);
}

/* Clients start us somewhere: a path must not depend on where. */
static void config_path(struct config_writer *writer, const char *name, const char *path)
{
    char absolute[PATH_MAX];

    if (path != NULL && path[0] != '/' && realpath(path, absolute) != NULL)
        path = absolute;
    config_option(writer, name, path);
}

static void config_arguments(struct config_writer *writer, const struct connect_options *options)
{
    config_argument(writer, "connect");
    config_argument(writer, options->url);
    config_path(writer, "--token-file", options->token_file);
    config_option(writer, "--token-command", options->token_command);
    config_option(writer, "--token-env", options->token_env);
    config_path(writer, "--client-cert", options->client_cert);
    config_path(writer, "--client-key", options->client_key);
    config_path(writer, "--ca", options->ca);
    for (size_t i = 0; i < options->header_count; i++)
        config_option(writer, "-H", options->headers[i]);
    if (options->insecure)
        config_argument(writer, "--insecure");
}

/* The last part of the URL's path, which is the app's name; else the host's. */
static void config_name(const struct connect_options *options, char out[CONFIG_NAME_MAX])
{
    struct slice path = options->uri.path;
    size_t at = path.size;

    if (options->name != NULL) {
        snprintf(out, CONFIG_NAME_MAX, "%s", options->name);
        return;
    }
    while (at > 0 && path.data[at - 1] != '/')
        at--;
    path = slice_skip(path, at);
    if (path.size == 0)
        path = options->uri.host;
    snprintf(out, CONFIG_NAME_MAX, "%.*s", (int)path.size, path.data);
}

static const struct config_client *config_client(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof(config_clients) / sizeof(config_clients[0]); i++)
        if (strcmp(config_clients[i].name, name) == 0)
            return &config_clients[i];
    return NULL;
}

int client_config_entry(struct buffer *out, const struct connect_options *options,
                        const char *program)
{
    const struct config_client *client = config_client(options->client);
    struct config_writer writer = {.out = out};
    char name[CONFIG_NAME_MAX];

    if (client == NULL)
        return -EINVAL;
    config_name(options, name);
    config_text(&writer, "{\n  ");
    config_string(&writer, client->servers);
    config_text(&writer, ": {\n    ");
    config_string(&writer, name);
    config_text(&writer, ": {\n");
    if (client->type != NULL) {
        config_text(&writer, "      \"type\": ");
        config_string(&writer, client->type);
        config_text(&writer, ",\n");
    }
    config_text(&writer, "      \"command\": ");
    config_string(&writer, program);
    config_text(&writer, ",\n      \"args\": [");
    config_arguments(&writer, options);
    config_text(&writer, "]\n    }\n  }\n}\n");
    return writer.error;
}

int client_config_main(int argc, char **argv)
{
    struct connect_options options;
    struct buffer out = {0};
    char program[PATH_MAX];
    const char *reason, *about = NULL;
    ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
    int error = connect_options_read(&options, argc, argv, true, &reason, &about);

    if (error == 0 && config_client(options.client) == NULL) {
        about = options.client;
        reason = "--client is claude, cursor or vscode";
        error = -EINVAL;
    }
    if (error != 0) {
        fprintf(stderr, "gatehouse client-config: %s%s%s\n", about == NULL ? "" : about,
                about == NULL ? "" : ": ", reason);
        fputs(config_usage, stderr);
        return EX_USAGE;
    }
    if (size > 0) {
        program[size] = '\0';
        error = client_config_entry(&out, &options, program);
    }
    if (size <= 0 || error != 0 ||
        fwrite(buffer_data(&out), 1, buffer_size(&out), stdout) != buffer_size(&out) ||
        fflush(stdout) != 0) {
        fputs("gatehouse client-config: the entry cannot be written\n", stderr);
        error = -EIO;
    }
    buffer_free(&out);
    return error == 0 ? EX_OK : EX_IOERR;
}
