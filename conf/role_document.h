/* role_document.h: a role as it is written, into the records of its two sides.
 *
 * Called by document.c. Matches no app. Also warns of what can never match as far as the document
 * alone shows it (role_warning.h).
 */
#ifndef GATEHOUSE_CONF_ROLE_DOCUMENT_H
#define GATEHOUSE_CONF_ROLE_DOCUMENT_H

#include "conf/document.h"
#include "conf/schema.h"

/* Always fills *out; it is refused when something was wrong. */
void role_document_read(const struct yaml_node *root, struct schema_context *context,
                        struct document *out);

#endif
