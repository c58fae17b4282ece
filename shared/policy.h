/* policy.h: what a caller's roles permit at one app: the one evaluator, for calls, lists and
 * `gatehouse explain`.
 *
 * A policy set is compiled from the records of the caller's roles that match the app (the watcher
 * matched the labels beforehand), once for each app and set of roles; workers keep it by generation
 * (catalog_policy). Pure: reads no store, no clock. Deny wins; what no rule allows is denied, and
 * so is every kind that no allow rule names.
 *
 * Names of tools and prompts are compared byte by byte. Resources by the URI's exact bytes, and
 * where they are forbidden by its folded form too; a URI that is not plain (resource_name.h) is
 * denied unless no rule narrows resources. A regular expression that hits its limit forbids, and
 * does not allow.
 */
#ifndef GATEHOUSE_SHARED_POLICY_H
#define GATEHOUSE_SHARED_POLICY_H

#include "shared/json.h"
#include "shared/policy_record.h"

enum policy_outcome {
    POLICY_ALLOWED,
    POLICY_DENIED,
    POLICY_NEEDS_SCOPE, /* an allow rule fits, but the token lacks scopes that its role requires */
    POLICY_UNDECIDED,   /* the arguments cannot be judged without doubt (a member twice, or in
                           another case, along a condition's path): refuse the request, -32600 */
};

struct policy_query {
    enum policy_kind kind;
    struct slice name;                  /* decoded: of the tool or prompt, or the resource's URI */
    const struct json_value *arguments; /* the object; NULL: none were given */
    const struct slice *scopes;         /* of the token */
    size_t scope_count;
};

struct policy_decision {
    enum policy_outcome outcome;
    const struct policy_rule *rule; /* that decided; NULL: none did (no rule allows it, or an app is
                                       forbidden whole). Borrowed from the set */
    struct slice role;              /* that the rule or side is of; else empty */
    struct slice place;             /* of the rule or side, "file:line:column"; else empty */
    bool deny;                      /* the rule or side forbids */
    const char *reason;             /* a literal, for logs and explain; never for clients */
    /* POLICY_NEEDS_SCOPE: every scope that the operation needs; borrowed from the set. */
    const struct slice *scopes;
    size_t scope_count;
};

struct policy_set;

/* The sides of the caller's roles that match the app. Patterns are compiled. The records' bytes are
 * copied. 0, -ENOMEM; -EBADMSG when a record says what no checked document does. Begins with one
 * hold. */
int policy_set_make(struct policy_set **out, const struct policy_record *records, size_t count);
/* The built-in role `access`: everything of the app. A hold of its own each time; never NULL. */
struct policy_set *policy_set_open(void);
/* The same as a record, for callers who have other roles too. */
const struct policy_record *policy_record_access(void);
struct policy_set *policy_set_hold(struct policy_set *set);
void policy_set_release(struct policy_set *set); /* NULL is ignored */
/* Bytes that it takes, about. */
size_t policy_set_size(const struct policy_set *set);

/* Whether the caller may reach the app at all: some role allows it, none forbids it whole. */
bool policy_set_admits(const struct policy_set *set);
/* Whether no rule narrows this kind: everything is allowed whatever its name, arguments and the
 * token's scopes. Lists are then not read. */
bool policy_set_is_open(const struct policy_set *set, enum policy_kind kind);

/* A call, a get, a read. */
struct policy_decision policy_judge(const struct policy_set *set, const struct policy_query *query);
/* Whether it belongs in the caller's lists: some arguments and scopes would let it pass. */
bool policy_lists(const struct policy_set *set, enum policy_kind kind, struct slice name);
/* Whether a resource template (RFC 6570) does: no rule forbids it as it stands, and one allows it
 * as it stands, or could allow an expansion: a literal that begins as the template does before its
 * first `{`, or a glob whose own begin agrees with that. Regular expressions count as it stands. */
bool policy_lists_template(const struct policy_set *set, struct slice template);

#endif
