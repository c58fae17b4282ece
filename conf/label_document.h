/* label_document.h: labels and label selectors as they are written. Called by app_document.c and
 * auth_config_document.c. Matches nothing.
 */
#ifndef GATEHOUSE_CONF_LABEL_DOCUMENT_H
#define GATEHOUSE_CONF_LABEL_DOCUMENT_H

#include "conf/schema.h"
#include "shared/label.h"

/* A mapping of names to texts into labels[0..room). Their count. Names that we give ourselves are
 * refused: a document must not pass for what Gatehouse says. */
size_t labels_read(const struct yaml_node *mapping, const char *prefix,
                   struct schema_context *context, struct label *labels, size_t room);

/* app_labels: a list of {name, values}, or a mapping of names to a value or a list of values. The
 * selectors are the arena's. Their count. */
size_t selectors_read(const struct yaml_node *node, const char *prefix,
                      struct schema_context *context, struct label_selector **out);

#endif
