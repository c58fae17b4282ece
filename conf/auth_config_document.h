/* auth_config_document.h: an app_auth_config as it is written, into a record without keys.
 *
 * Called by document.c. Fetches nothing and fills no template in: the watcher does.
 */
#ifndef GATEHOUSE_CONF_AUTH_CONFIG_DOCUMENT_H
#define GATEHOUSE_CONF_AUTH_CONFIG_DOCUMENT_H

#include "conf/document.h"
#include "conf/schema.h"

/* Always fills *out; it is refused when something was wrong. */
void auth_config_document_read(const struct yaml_node *root, struct schema_context *context,
                               struct document *out);

#endif
