/* stdio_document.h: the mapping `mcp` of an app: the command of a stdio server, as it is written.
 *
 * Called by app_document.c. Looks at no file and no user: stdio_admission.h does.
 */
#ifndef GATEHOUSE_CONF_STDIO_DOCUMENT_H
#define GATEHOUSE_CONF_STDIO_DOCUMENT_H

#include "conf/schema.h"
#include "shared/stdio_app.h"

enum { STDIO_USER_MAX = 63 }; /* bytes of a user's name */

/* What the table of an app's keys writes (app_schema.c). */
struct stdio_form {
    struct slice command, working_dir, user;
    const struct yaml_node *arguments; /* a list, or NULL */
    const struct yaml_node *variables; /* a mapping of names to texts, or NULL */
    unsigned scope;
    uint64_t max_servers;
    struct stdio_limits limits;
};

extern const char *const stdio_scopes[]; /* enum stdio_scope */
const char *stdio_command_check(struct slice command);

/* Whether the mapping, or NULL, has a key that only a stdio server has. */
bool stdio_document_is(const struct yaml_node *mapping);

struct stdio_document {
    struct stdio_app app;                    /* of its user only the name; texts are the arena's */
    struct place command, working_dir, user; /* where they stand, or the mapping */
};

/* `mapping`: where the form's values stand; `prefix` leads to it. The document is the context's
 * arena's; NULL after an error. */
struct stdio_document *stdio_document_read(const struct stdio_form *form,
                                           const struct yaml_node *mapping, const char *prefix,
                                           struct slice name, struct schema_context *context);

#endif
