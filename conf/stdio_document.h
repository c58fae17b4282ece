/* stdio_document.h: the mapping `mcp` of an app: the command of a stdio server, as it is written.
 *
 * Called by app_document.c. Looks at no file and no user: stdio_admission.h does.
 */
#ifndef GATEHOUSE_CONF_STDIO_DOCUMENT_H
#define GATEHOUSE_CONF_STDIO_DOCUMENT_H

#include "conf/schema.h"
#include "shared/stdio_app.h"

struct stdio_document {
    struct stdio_app app;                    /* of its user only the name; texts are the arena's */
    const struct yaml_node *methods;         /* allowed_methods: a string or a list; or NULL */
    struct place command, working_dir, user; /* where they stand, or the mapping */
};

/* `prefix` leads to the mapping. The document is the context's arena's; NULL after an error. */
struct stdio_document *stdio_document_read(const struct yaml_node *mapping, const char *prefix,
                                           struct slice name, struct schema_context *context);

#endif
