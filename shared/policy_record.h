/* policy_record.h: one side (allow or deny) of a role, compiled; the value in `policies`.
 *
 * Keys in `policies`: "role/" name "/allow" and "/deny": policy_record. "app/" app "/" role:
 * policy_match, which sides' app_labels match that app: the match, made beforehand, so that a
 * caller's roles at an app are a few gets on first use in a generation, and never a list. Written
 * by the watcher, read by workers and `gatehouse explain`. Slices of a decoded record are borrowed
 * from the bytes it was decoded from, places and lists from the memory that decoding made.
 */
#ifndef GATEHOUSE_SHARED_POLICY_RECORD_H
#define GATEHOUSE_SHARED_POLICY_RECORD_H

#include "shared/buffer.h"
#include "shared/label.h"
#include "shared/store_key.h"

#include <stdint.h>

enum {
    POLICY_RULES_MAX = 256,    /* of one side of a role */
    POLICY_CONDITIONS_MAX = 8, /* of one rule */
    POLICY_VALUES_MAX = 32,    /* of one condition */
    POLICY_SCOPES_MAX = 16,    /* of one side, and of one rule */
};

/* The role of users whose config has no claims_to_roles: built in, never recorded. */
#define POLICY_ROLE_ACCESS "access"

enum policy_kind { POLICY_TOOL, POLICY_PROMPT, POLICY_RESOURCE, POLICY_KINDS };

/* An argument condition: the value at the pointer (RFC 6901, into `arguments`) must be one of the
 * values: JSON scalars as text ("\"a\"", "1", "true"); strings may be patterns as names are. */
struct policy_condition {
    struct slice pointer;
    const struct slice *values;
    size_t value_count; /* at least 1 */
};

struct policy_rule {
    enum policy_kind kind;
    struct slice pattern;       /* literal, glob with `*`, or ^regex$ */
    const struct slice *scopes; /* allow: of the token, besides those of the side */
    size_t scope_count;
    const struct policy_condition *conditions; /* all must hold; tools only */
    size_t condition_count;
    struct slice place; /* "file:line:column" of the rule in its document */
};

struct policy_record {
    struct slice role;
    bool deny;
    bool whole_app;     /* deny: no rules at all, the apps are forbidden whole */
    struct slice file;  /* of the document; every place begins with it */
    struct slice place; /* of the side in its document: "file:line:column" */
    const struct label_selector *selectors; /* app_labels; none: deny matches every app */
    size_t selector_count;
    struct slice scopes[POLICY_SCOPES_MAX]; /* allow: required of the token for any rule of it */
    size_t scope_count;
    const struct policy_rule *rules;
    size_t rule_count;
};

/* 0; -EINVAL when a count is beyond its limit, or a place does not begin with the file; -ENOMEM. */
int policy_record_encode(const struct policy_record *record, struct buffer *out);
/* *owned (which the lists and places are in) is the caller's to free. 0, -EBADMSG or -ENOMEM; then
 * *owned is NULL. */
int policy_record_decode(struct slice bytes, struct policy_record *out, void **owned);
void policy_record_key(struct store_key *key, struct slice role, bool deny);

/* Which sides of a role count at an app; a role of which none does has no match there. */
struct policy_match {
    bool allow, deny;
};

int policy_match_encode(struct policy_match match, struct buffer *out);
int policy_match_decode(struct slice bytes, struct policy_match *out);
void policy_match_key(struct store_key *key, struct slice app, struct slice role);

/* "tool", "prompt", "resource" */
const char *policy_kind_name(enum policy_kind kind);

#endif
