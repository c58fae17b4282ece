/* role_warning.h: rules that can never match, as far as one role document shows them.
 *
 * Called by role_document.c for a document without mistakes. What needs other documents is
 * role_check.h.
 */
#ifndef GATEHOUSE_CONF_ROLE_WARNING_H
#define GATEHOUSE_CONF_ROLE_WARNING_H

#include "conf/role_sides.h"
#include "conf/schema.h"

void role_warn(const struct yaml_node *root, const struct role_sides *sides,
               struct schema_context *context);

#endif
