/* policy_set.h: the inside of a policy set: rules with compiled patterns, sorted for the judge.
 *
 * Made by policy_set.c, read by policy.c, and by nobody else; see policy.h.
 */
#ifndef GATEHOUSE_SHARED_POLICY_SET_H
#define GATEHOUSE_SHARED_POLICY_SET_H

#include "shared/condition.h"
#include "shared/policy.h"
#include "shared/resource_name.h"

/* Distinct pointers of a set that one judgement looks up once; others are looked up each time. */
enum { POLICY_POINTERS_KEPT = 16 };

struct set_side {
    struct buffer bytes; /* what the record is borrowed from */
    void *owned;
    struct policy_record record;
};

struct set_rule {
    const struct policy_rule *source;
    const struct set_side *side;
    struct pattern pattern;
    struct pattern folded; /* with `folds`: for the folded form of a resource's URI */
    bool folds;
    struct condition *conditions;
    size_t condition_count;
    struct slice *needs; /* scopes: of the side and of the rule */
    size_t need_count;
};

/* The rules of one kind that allow, or that forbid. */
struct set_list {
    const struct set_rule **literals; /* sorted; equal ones in the documents' order */
    size_t literal_count;
    const struct set_rule **others; /* in the documents' order */
    size_t other_count;
};

struct policy_set {
    unsigned holds;
    bool built_in; /* everything is allowed; never freed */
    bool admits;
    const struct set_side *whole;              /* forbids the app; or NULL */
    const struct set_rule *open[POLICY_KINDS]; /* allows everything of a kind; or NULL */
    struct set_list lists[2][POLICY_KINDS];    /* [deny] */
    struct set_side *sides;
    size_t side_count;
    struct set_rule *rules;
    size_t rule_count;
    const struct slice *pointers[POLICY_POINTERS_KEPT]; /* the first distinct ones */
    size_t pointer_count;
    size_t size; /* bytes, about */
    struct arena arena;
};

#endif
