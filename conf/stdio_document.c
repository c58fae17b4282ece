#include "conf/stdio_document.h"

#include <stdio.h>

enum {
    KEY_MAX = 256,         /* bytes of a key within the mapping */
    ARGUMENT_MAX = 4096,   /* bytes */
    VALUE_MAX_SIZE = 8192, /* bytes of a variable's value */
};

const char *const stdio_scopes[] = {"session", "user", "shared", NULL};

const char *stdio_command_check(struct slice command)
{
    return command.data[0] == '/' ? NULL : "must be an absolute path: no PATH is searched";
}

bool stdio_document_is(const struct yaml_node *mapping)
{
    static const char *const keys[] = {"command",          "args",  "env",    "working_dir",
                                       "run_as_host_user", "scope", "limits", NULL};

    for (const char *const *key = keys; *key != NULL; key++)
        if (yaml_find(mapping, *key) != NULL)
            return true;
    return false;
}

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

struct stdio_document *stdio_document_read(const struct stdio_form *form,
                                           const struct yaml_node *mapping, const char *prefix,
                                           struct slice name, struct schema_context *context)
{
    struct stdio_document *document = arena_allocate(context->arena, sizeof(*document));
    size_t before = context->diagnostics->errors;

    if (document == NULL) {
        schema_error(context, mapping, prefix, "", NULL, "out of memory");
        return NULL;
    }
    if (yaml_find(mapping, "command") == NULL)
        schema_error(context, mapping, prefix, "command", "such as /usr/bin/node", "is required");
    document->app = (struct stdio_app){.name = name,
                                       .scope = (enum stdio_scope)form->scope,
                                       .max_servers = form->max_servers,
                                       .command = form->command,
                                       .working_dir = form->working_dir,
                                       .user = {.name = form->user},
                                       .limits = form->limits};
    document->command = stdio_place(mapping, "command");
    document->working_dir = stdio_place(mapping, "working_dir");
    document->user = stdio_place(mapping, "run_as_host_user");
    stdio_read_arguments(form->arguments, prefix, context, &document->app);
    stdio_read_variables(form->variables, prefix, context, &document->app);
    if (context->diagnostics->errors != before || form->command.size == 0)
        return NULL;
    if (stdio_app_revise(&document->app, context->arena) == 0)
        return document;
    schema_error(context, mapping, prefix, "", NULL, "out of memory");
    return NULL;
}
