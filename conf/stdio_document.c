#include "conf/stdio_document.h"

#include "conf/app_schema.h"
#include "shared/app_record.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define SECOND UINT64_C(1000)
#define HOUR (3600 * SECOND)

enum {
    KEY_MAX = 256,         /* bytes of a key within the mapping */
    ARGUMENT_MAX = 4096,   /* bytes */
    VALUE_MAX_SIZE = 8192, /* bytes of a variable's value */
    USER_MAX = 64,         /* bytes */
};

struct stdio_form {
    struct slice command, working_dir, user;
    const struct yaml_node *arguments; /* a list, or NULL */
    const struct yaml_node *methods;   /* a string or a list of strings, or NULL */
    const struct yaml_node *variables; /* a mapping of names to texts, or NULL */
    unsigned scope;
    uint64_t max_servers;
    struct stdio_limits limits;
};

static const char *const scopes[] = {"session", "user", "shared", NULL}; /* enum stdio_scope */

static const char *command_check(struct slice command)
{
    return command.data[0] == '/' ? NULL : "must be an absolute path: no PATH is searched";
}

#define STDIO(field) .offset = offsetof(struct stdio_form, field)

static const struct schema_row stdio_rows[] = {
    {.path = "command",
     .type = SCHEMA_STRING,
     .required = true,
     STDIO(command),
     .low = 1,
     .high = PATH_MAX - 1,
     .check = command_check,
     .hint = "such as /usr/bin/node"},
    {.path = "args", .type = SCHEMA_LIST, STDIO(arguments), .low = 0, .high = STDIO_ARGUMENTS_MAX},
    /* Beside PATH, HOME, LANG and TZ, which a server always gets; nothing else is inherited. */
    {.path = "env", .type = SCHEMA_MAP, STDIO(variables), .low = 0, .high = STDIO_VARIABLES_MAX},
    {.path = "working_dir", .type = SCHEMA_PATH, STDIO(working_dir), .fallback = "/"},
    {.path = "run_as_host_user",
     .type = SCHEMA_STRING,
     STDIO(user),
     .low = 1,
     .high = USER_MAX - 1},
    /* A process is not a conversation: unless one says so, two sessions never share one. */
    {.path = "scope",
     .type = SCHEMA_CHOICE,
     STDIO(scope),
     .fallback = "session",
     .choices = scopes},
    {.path = "allowed_methods",
     .type = SCHEMA_STRINGS,
     STDIO(methods),
     .low = 0,
     .high = APP_METHODS_MAX,
     .check = app_method_check},
    {.path = "limits", .type = SCHEMA_MAPPING},
    /* Where it is absent gate.stdio.max_servers_per_app holds. */
    {.path = "limits.max_servers",
     .type = SCHEMA_INTEGER,
     STDIO(max_servers),
     .low = 1,
     .high = 10000},
    /* Enough for an interpreter and its sockets; a leak ends in errors, not in a full machine. */
    {.path = "limits.open_files",
     .type = SCHEMA_INTEGER,
     STDIO(limits.open_files),
     .low = 16,
     .high = 1048576,
     .fallback = "1024"},
    /* The rest only where one says so: each breaks programs that are not made for it. */
    {.path = "limits.processes",
     .type = SCHEMA_INTEGER,
     STDIO(limits.processes),
     .low = 1,
     .high = 100000},
    {.path = "limits.memory",
     .type = SCHEMA_SIZE,
     STDIO(limits.memory),
     .low = MIB,
     .high = 1024 * GIB},
    {.path = "limits.cpu_time",
     .type = SCHEMA_DURATION,
     STDIO(limits.cpu_time),
     .low = SECOND,
     .high = 1000 * HOUR},
};

static const struct schema stdio_schema = {.rows = stdio_rows,
                                           .count = sizeof(stdio_rows) / sizeof(stdio_rows[0])};

static struct place stdio_place(const struct yaml_node *mapping, const char *key)
{
    const struct yaml_node *node = yaml_find(mapping, key);

    return node == NULL ? mapping->place : node->place;
}

/* An empty one is an argument too. */
static void stdio_read_arguments(const struct yaml_node *node, const char *prefix,
                                 struct schema_context *context, struct stdio_app *app)
{
    size_t index = 0;

    for (node = node == NULL ? NULL : node->first;
         node != NULL && app->argument_count < STDIO_ARGUMENTS_MAX; node = node->next) {
        struct slice argument;
        char key[KEY_MAX];

        snprintf(key, sizeof(key), "args[%zu]", index++);
        if (!schema_string(context, node, prefix, key, &argument))
            continue;
        if (argument.size > ARGUMENT_MAX)
            schema_error(context, node, prefix, key, NULL, "must be at most %d bytes",
                         ARGUMENT_MAX);
        app->arguments[app->argument_count++] = argument;
    }
}

/* As shells name them: a program could not ask for any other. */
static bool stdio_is_variable(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        char byte = name.data[i];

        if (byte != '_' && !(byte >= 'A' && byte <= 'Z') && !(byte >= 'a' && byte <= 'z') &&
            !(i > 0 && byte >= '0' && byte <= '9'))
            return false;
    }
    return name.size > 0;
}

static void stdio_read_variables(const struct yaml_node *node, const char *prefix,
                                 struct schema_context *context, struct stdio_app *app)
{
    for (node = node == NULL ? NULL : node->first;
         node != NULL && app->variable_count < STDIO_VARIABLES_MAX; node = node->next) {
        char key[KEY_MAX];

        snprintf(key, sizeof(key), "env.%.*s", node->key.size > 64 ? 64 : (int)node->key.size,
                 node->key.data);
        if (!stdio_is_variable(node->key))
            schema_error(context, node, prefix, key, "letters, digits and '_'",
                         "is not the name of a variable");
        else if (node->text.size > VALUE_MAX_SIZE)
            schema_error(context, node, prefix, key, NULL, "must be at most %d bytes",
                         VALUE_MAX_SIZE);
        else
            app->variables[app->variable_count++] =
                (struct stdio_variable){.name = node->key, .value = node->text};
    }
}

struct stdio_document *stdio_document_read(const struct yaml_node *mapping, const char *prefix,
                                           struct slice name, struct schema_context *context)
{
    struct stdio_document *document = arena_allocate(context->arena, sizeof(*document));
    size_t before = context->diagnostics->errors;
    struct stdio_form form = {0};

    schema_read(&stdio_schema, mapping, prefix, context, &form);
    if (document == NULL) {
        schema_error(context, mapping, prefix, "", NULL, "out of memory");
        return NULL;
    }
    document->app = (struct stdio_app){.name = name,
                                       .scope = (enum stdio_scope)form.scope,
                                       .max_servers = form.max_servers,
                                       .command = form.command,
                                       .working_dir = form.working_dir,
                                       .user = {.name = form.user},
                                       .limits = form.limits};
    document->methods = form.methods;
    document->command = stdio_place(mapping, "command");
    document->working_dir = stdio_place(mapping, "working_dir");
    document->user = stdio_place(mapping, "run_as_host_user");
    stdio_read_arguments(form.arguments, prefix, context, &document->app);
    stdio_read_variables(form.variables, prefix, context, &document->app);
    if (context->diagnostics->errors != before)
        return NULL;
    if (stdio_app_revise(&document->app, context->arena) == 0)
        return document;
    schema_error(context, mapping, prefix, "", NULL, "out of memory");
    return NULL;
}
