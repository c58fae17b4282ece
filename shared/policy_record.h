/* policy_record.h: one side (allow or deny) of a role, compiled; the value in `policies`.
 *
 * Keys in `policies`: "role/" name "/allow" and "/deny": policy_record. "app/" app "/" role:
 * policy_match, which sides' app_labels match that app: the match, made beforehand, so that a
 * caller's roles at an app are a few gets on first use in a generation, and never a list. Written
 * by the watcher, read by workers and `gatehouse explain`. Slices of a decoded record are borrowed
 * from the bytes it was decoded from.
 */
#ifndef GATEHOUSE_SHARED_POLICY_RECORD_H
#define GATEHOUSE_SHARED_POLICY_RECORD_H

#include "shared/buffer.h"
#include "shared/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    POLICY_RULES_MAX = 256,    /* of one side of a role */
    POLICY_CONDITIONS_MAX = 8, /* of one rule */
    POLICY_VALUES_MAX = 32,    /* of one condition */
    POLICY_SCOPES_MAX = 16,    /* of one side, and of one rule */
};

enum policy_kind { POLICY_TOOL, POLICY_PROMPT, POLICY_RESOURCE, POLICY_KINDS };

/* An argument condition: the value at the pointer (RFC 6901, into `arguments`) must be one of the
 * values: JSON scalars as text ("\"a\"", "1", "true"); strings may be patterns as names are. */
struct policy_condition {
    struct slice pointer;
    struct slice values[POLICY_VALUES_MAX];
    size_t value_count;
};

struct policy_rule {
    enum policy_kind kind;
    struct slice pattern;                /* literal, glob with `*`, or ^regex$ */
    struct policy_condition *conditions; /* all must hold; tools only */
    size_t condition_count;
    struct slice place; /* "file:line:column" of the rule in its document */
};

struct policy_record {
    struct slice role;
    bool deny;
    bool whole_app; /* deny: no rules at all, the apps are forbidden whole */
    struct policy_rule *rules;
    size_t rule_count;
    struct slice scopes[POLICY_SCOPES_MAX]; /* allow: required of the token for any rule of it */
    size_t scope_count;
    struct slice place; /* of the side in its document */
};

#endif
