/* role_rule.h: one rule of a role as it is written: a pattern, or a pattern with conditions on a
 * tool's arguments and scopes. Called by role_document.c.
 */
#ifndef GATEHOUSE_CONF_ROLE_RULE_H
#define GATEHOUSE_CONF_ROLE_RULE_H

#include "conf/schema.h"
#include "shared/policy_record.h"

struct role_rule_place {
    enum policy_kind kind;
    bool deny;
    const char *key; /* of the list */
    size_t index;    /* in it */
};

/* False when it is wrong (which was then said), or can never match (which was warned of). Memory is
 * the context's arena's. */
bool role_rule_read(const struct yaml_node *node, const struct role_rule_place *place,
                    struct schema_context *context, struct policy_rule *out);

/* "file:line:column", the arena's; empty when there is no memory. */
struct slice role_place_text(struct place place, struct arena *arena);
/* The place that it was made from, in the document that begins there; without memory, that. */
struct place role_place_read(struct slice text, struct place document);

#endif
